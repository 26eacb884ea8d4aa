"""`onc-mirror` beside the plain `onc` client with boto3 and `rclone copyurl`, on one archive and one store.

    python -m benchmarks.compare [--rounds 3] [--small-files 400] [--large-files 20] [--json FILE]

In every round each contender runs once, in a process of its own, into a bucket of its own; the order rotates. Figures
are medians over the rounds, ratios are medians of the rounds' ratios to the first contender.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import boto3

from benchmarks.contenders import BASELINE, CONTENDERS, Contender, Job
from benchmarks.measuring import CommandFailedError, machine
from benchmarks.options import size
from benchmarks.servers import Servers, running_servers
from benchmarks.starting import Starts, measure_starts
from benchmarks.workload import large_files, small_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.workload import Workload

SIZES = ("small", "large", "far")

_MB, _GB = 1e6, 1e9


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one contender.

    Attributes:
        contender: Its name.
        size: `small` or `large`; `far`: small, and the archive takes its time to answer.
        round: From 0.
        files: Files transferred.
        size_bytes: Their bytes.
        wall_s: From the start of the process to its end.
        cpu_s: CPU seconds of its process tree.
        servers_cpu_s: CPU seconds of archive and store meanwhile.
        main_peak_bytes: Peak resident memory of its main process.
        tree_peak_bytes: Peak of the sum over its process tree.
    """

    contender: str
    size: str
    round: int
    files: int
    size_bytes: int
    wall_s: float
    cpu_s: float
    servers_cpu_s: float
    main_peak_bytes: int
    tree_peak_bytes: int


@dataclass(frozen=True, slots=True)
class _Metric:
    """A column of the table."""

    name: str
    of: Callable[[Run], float]
    digits: int


METRICS = (
    _Metric("files/s", lambda run: run.files / run.wall_s, 1),
    _Metric("MB/s", lambda run: run.size_bytes / _MB / run.wall_s, 1),
    _Metric("CPU s/GB", lambda run: run.cpu_s / (run.size_bytes / _GB), 1),
    _Metric("peak MB, all", lambda run: run.tree_peak_bytes / _MB, 0),
    _Metric("peak MB, main", lambda run: run.main_peak_bytes / _MB, 0),
    _Metric("servers' CPU s", lambda run: run.servers_cpu_s, 1),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    works = {
        "small": small_files(options.small, options.small_files),
        "large": large_files(options.large, options.large_files),
        "far": small_files(options.small, options.far_files, options.far_delay),
    }
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="onc-mirror-compare-", dir=options.folder) as folder,
        running_servers(Path(folder), {work.product: work.file_bytes for work in works.values()}) as servers,
    ):
        starts = measure_starts(servers, works["small"], rounds=options.rounds)
        runs = [
            run
            for number in range(options.rounds)
            for name, work in works.items()
            if name in options.sizes
            for run in _round(servers, work, name, number, options.concurrency)
        ]
    for name in options.sizes:
        work, of_size = works[name], [run for run in runs if run.size == name]
        print(f"\n{_title(work, of_size[0].size_bytes)}; {options.rounds} rounds, {machine()}\n")
        print(_table(of_size))
    print(_starts_text(starts))
    print("\n".join(f"{one.name}: {one.note}." for one in CONTENDERS))
    if options.json is not None:
        measured = {"runs": [asdict(run) for run in runs], "starts": asdict(starts)}
        options.json.write_text(json.dumps(measured, indent=2), encoding="utf-8")
    return 0


def _round(servers: Servers, work: Workload, name: str, number: int, concurrency: int) -> list[Run]:
    """Run every contender once, another one first in every round."""
    rows = servers.rows(work)
    servers.delay_answers(work.delay_s)
    first = number % len(CONTENDERS)
    runs = []
    for contender in (*CONTENDERS[first:], *CONTENDERS[:first]):
        with tempfile.TemporaryDirectory(dir=servers.folder) as folder:
            job = Job(servers, work, rows, servers.create_store(), Path(folder), concurrency)
            runs.append(_run(contender, job, name, number))
        print(f"round {number} {name} {contender.name}: {runs[-1].wall_s:.1f} s", file=sys.stderr, flush=True)
    servers.delay_answers(0)
    return runs


def _run(contender: Contender, job: Job, name: str, number: int) -> Run:
    before = job.servers.cpu_s()
    cost = contender.run(job)
    servers_cpu_s = job.servers.cpu_s() - before
    _check_bucket(job, contender)
    return Run(
        contender=contender.name,
        size=name,
        round=number,
        files=len(job.rows),
        size_bytes=sum(row["fileSize"] for row in job.rows),
        wall_s=cost.wall_s,
        cpu_s=cost.cpu_s,
        servers_cpu_s=servers_cpu_s,
        main_peak_bytes=cost.main_peak_bytes,
        tree_peak_bytes=cost.tree_peak_bytes,
    )


def _check_bucket(job: Job, contender: Contender) -> None:
    """Make sure that the contender did its work.

    Raises:
        CommandFailedError: The bucket does not hold the files, by name and size.
    """
    variables = job.servers.environment()
    s3 = boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_DEFAULT_REGION"],
    )
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=job.bucket)
    found = {one["Key"].rpartition("/")[2]: one["Size"] for page in pages for one in page.get("Contents", ())}
    missing = [row["filename"] for row in job.rows if found.get(row["filename"]) != row["fileSize"]]
    if missing or not job.rows:
        raise CommandFailedError(f"{contender.name} did not bring {missing}.")


def _title(work: Workload, size_bytes: int) -> str:
    delay = f", each answer of the archive {work.delay_s:g} s late" if work.delay_s else ""
    return f"{work.files} files of {work.file_bytes / _MB:g} MB, {size_bytes / _MB:.1f} MB in all{delay}"


def _table(runs: Sequence[Run]) -> str:
    """Return a Markdown table, a line per contender, a column per metric with its ratio to the baseline."""
    headings = ("", *(metric.name for metric in METRICS))
    lines = [headings, ("---", *("---:" for _ in METRICS))]
    lines += [(one.name, *(_cell(runs, one, metric) for metric in METRICS)) for one in CONTENDERS]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines)


def _cell(runs: Sequence[Run], contender: Contender, metric: _Metric) -> str:
    mine = {run.round: metric.of(run) for run in runs if run.contender == contender.name}
    base = {run.round: metric.of(run) for run in runs if run.contender == BASELINE.name}
    value = f"{median(mine.values()):.{metric.digits}f}"
    return value if contender is BASELINE else f"{value} ({median(mine[key] / base[key] for key in mine):.2f})"


def _starts_text(starts: Starts) -> str:
    return f"""
Start of `onc-mirror mirror` to its first request at the archive:
  with a new ledger   {starts.first_request_s:.2f} s, {starts.first_request_cpu_s:.2f} s of CPU
  later               {starts.again_request_s:.2f} s, {starts.again_request_cpu_s:.2f} s of CPU
A second run over {starts.files} mirrored files: {starts.again_s:.2f} s, {starts.again_cpu_s:.2f} s of CPU, \
{starts.requests} requests to the archive.
"""


def _parser() -> argparse.ArgumentParser:
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=summary)
    add = parser.add_argument
    add("--rounds", type=int, default=3, help="how often each contender runs (%(default)s)")
    add("--sizes", nargs="+", choices=SIZES, default=SIZES, help="which to measure (all)")
    add("--small", type=size, default=60_000, help="size of a small file (60kB)")
    add("--small-files", type=int, default=400, help="how many of them (%(default)s)")
    add("--large", type=size, default=24_000_000, help="size of a large file (24MB)")
    add("--large-files", type=int, default=20, help="how many of them (%(default)s)")
    add("--far-files", type=int, default=100, help="small files from an archive that takes its time (%(default)s)")
    add("--far-delay", type=float, default=0.2, help="seconds that it takes to answer (%(default)s)")
    add("--concurrency", type=int, default=8, help="transfers in flight, for those that can (%(default)s)")
    add("--folder", type=Path, default=None, help="where servers keep their data (the temporary folder)")
    add("--json", type=Path, default=None, metavar="FILE", help="also write all figures there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
