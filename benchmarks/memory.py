"""A file of gigabytes through `onc-mirror mirror`: how much memory its process and its validation take.

python -m benchmarks.memory [--bytes 3GiB] [--store s3|file] [--json FILE]

Exit code 1 when the mirror's process took more than its budget.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contenders import Job, check_report, mirror
from benchmarks.measuring import machine
from benchmarks.options import size
from benchmarks.servers import running_servers
from benchmarks.workload import large_files, small_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.measuring import Cost
    from benchmarks.servers import Servers
    from benchmarks.workload import Workload

BUDGET_BYTES = 400_000_000
_SMALL_BYTES = 60_000
_MB = 1e6


@dataclass(frozen=True, slots=True)
class Figures:
    """What one file took.

    Attributes:
        file_bytes: Size of the file.
        mirror_peak_bytes: Peak resident memory of the `onc-mirror` process.
        validation_peak_bytes: That of its largest validation process.
        wall_s: From start to end of the process.
        cpu_s: CPU seconds of all of them.
    """

    file_bytes: int
    mirror_peak_bytes: int
    validation_peak_bytes: int
    wall_s: float
    cpu_s: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args(arguments)
    small, large = small_files(_SMALL_BYTES, 1), large_files(options.bytes, 1)
    sizes = {work.product: work.file_bytes for work in (small, large)}
    print(f"{machine()}; {options.bytes / _MB:,.0f} MB into {options.store}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="onc-mirror-memory-", dir=options.folder) as folder,
        running_servers(Path(folder), sizes, s3=options.store == "s3") as servers,
    ):
        figures = [_pass_through(servers, work) for work in (small, large)]
    fits = figures[-1].mirror_peak_bytes < BUDGET_BYTES
    _print(figures, fits=fits)
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(one) for one in figures], indent=2), encoding="utf-8")
    return 0 if fits else 1


def _pass_through(servers: Servers, work: Workload) -> Figures:
    rows = servers.rows(work)
    with tempfile.TemporaryDirectory(dir=servers.folder) as folder:
        cost: Cost = mirror(Job(servers, work, rows, servers.create_store(), Path(folder), concurrency=8))
    check_report(cost, mirrored=1, already=0)
    return Figures(rows[0]["fileSize"], cost.main_peak_bytes, cost.others_peak_bytes, cost.wall_s, cost.cpu_s)


def _print(figures: Sequence[Figures], *, fits: bool) -> None:
    print(f"{'file MB':>10} {'mirror MB':>10} {'validation MB':>14} {'seconds':>8} {'MB/s':>7} {'CPU s/GB':>9}")
    for one in figures:
        print(
            f"{one.file_bytes / _MB:10,.2f} {one.mirror_peak_bytes / _MB:10.0f}"
            f" {one.validation_peak_bytes / _MB:14.0f} {one.wall_s:8.1f}"
            f" {one.file_bytes / _MB / one.wall_s:7.1f} {one.cpu_s / (one.file_bytes / 1e9):9.1f}"
        )
    small, large = figures
    ratio = large.mirror_peak_bytes / small.mirror_peak_bytes
    print(f"A file {large.file_bytes / small.file_bytes:,.0f} times as large takes {ratio:.2f} times the memory.")
    print(
        f"{'PASS' if fits else 'FAIL'}: the mirror's process peaked at {large.mirror_peak_bytes / _MB:.0f} MB,"
        f" {BUDGET_BYTES / _MB:.0f} MB are allowed."
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--bytes", type=size, default=3 * 2**30, help="size of the large file, such as 3GB (3GiB)")
    add("--store", choices=("s3", "file"), default="s3", help="Swift's S3 endpoint, or a folder (%(default)s)")
    add("--folder", type=Path, default=None, help="where there is room for three times that (the temporary folder)")
    add("--json", type=Path, default=None, metavar="FILE", help="also write the figures there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
