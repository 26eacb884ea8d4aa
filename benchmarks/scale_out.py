"""A backfill of a month with one, two and three workers, and with three of which one is killed in the middle.

    python -m benchmarks.scale_out [--days 30] [--workers 1 2 3] [--no-kill] [--json FILE]

Prefect, PostgreSQL and Redis run as `infra/compose/compose.yaml` has them: two API servers, services apart, TLS in
front; the ledger is on that PostgreSQL. One more worker than is counted has the backfill itself, which only waits for
its parts. Each run has an empty bucket and an empty ledger; afterwards every file is in both once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.composed_servers import ComposedServers, LedgerPlace, running_composition
from benchmarks.measuring import CommandFailedError, machine
from benchmarks.options import size
from benchmarks.servers import Servers, running_servers
from onc_mirror.flow_names import BACKFILL, BACKFILL_PART

if TYPE_CHECKING:
    from collections.abc import Sequence

DEVICE = "TUMSTANDARDMODULE001"
PRODUCT = "SMRD"
BEGIN = date(2022, 5, 1)

_LONGEST_S = 900.0
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Run:
    """One backfill.

    Attributes:
        workers: Workers that took parts.
        slots: Transfers in flight that they had in all.
        killed: Whether one of them was killed in the middle.
        files: Files mirrored.
        wall_s: From the trigger to the end of the backfill.
        first_file_s: From the trigger to the first download.
        busy: Part of this machine's processors that was in use meanwhile, 0 to 1.
        downloads: Downloads that the archive served; more than files when some were begun twice.
        parts: Child runs that left a report.
        killed_at_s: From the trigger to the kill; None when nobody was killed.
    """

    workers: int
    slots: int
    killed: bool
    files: int
    wall_s: float
    first_file_s: float
    busy: float
    downloads: int
    parts: int
    killed_at_s: float | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="onc-mirror-scale-", dir=options.folder) as folder,
        running_servers(Path(folder), {PRODUCT: options.file_bytes}) as servers,
        running_composition(servers, 1 + min(options.workers)) as composed,
    ):
        bench = _Bench(servers, composed, options)
        runs = [bench.run(count, count * options.slots) for count in options.workers]
        most = max(options.workers)
        if options.all_slots and most > 1:
            runs.append(bench.run(1, most * options.slots))
        if options.kill:
            runs.append(bench.run(most, most * options.slots, kill=True))
    print(_table(runs))
    print(_loss(runs))
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(run) for run in runs], indent=2), encoding="utf-8")
    return 0


class _Bench:
    """The servers, and the work that is the same each time."""

    def __init__(self, servers: Servers, composed: ComposedServers, options: argparse.Namespace) -> None:
        self._servers = servers
        self._composed = composed
        self._options = options
        self._until = BEGIN + timedelta(days=options.days)
        servers.be_near()
        self._files = servers.files_of_days(DEVICE, PRODUCT, BEGIN, self._until)

    def run(self, workers: int, slots: int, *, kill: bool = False) -> Run:
        """Do the work once, and see that it was done."""
        store_url, ledger = self._servers.create_store(), self._composed.create_ledger()
        # One more has the backfill itself.
        self._composed.have_workers(workers + 1)
        self._servers.be_far(self._options.latency, self._options.bytes_per_s)
        self._servers.forget_requests()
        parameters = {
            "since": BEGIN.isoformat(),
            "until": self._until.isoformat(),
            "devices": [DEVICE],
            "products": [PRODUCT],
            "slices_per_run": self._options.days_per_part,
            "runs_in_flight": workers + 1,
        }
        variables = {
            "ONC_MIRROR_STORE_URL": store_url,
            "ONC_MIRROR_CONCURRENCY": str(slots),
            "ONC_MIRROR_BACKFILL_SHARE": "1",
            "ONC_MIRROR_BACKFILL_REQUESTS_PER_S": "1000",
            **ledger.variables,
        }
        before, began_at, began = _busy_s(), time.time(), time.monotonic()
        backfill = self._composed.begin_backfill(parameters, variables)
        killed_at_s = self._kill(backfill.id, ledger, slots, began) if kill else None
        self._composed.finish(backfill.id, _LONGEST_S)
        wall_s, busy_s = time.monotonic() - began, _busy_s() - before
        downloads = [one for one in self._servers.requests() if one["endpoint"] == "download"]
        parts = ledger.reports(BACKFILL_PART)
        (report,) = ledger.reports(BACKFILL)
        self._check(store_url, report, ledger.mirrored())
        self._servers.be_near()
        done = Run(
            workers=workers,
            slots=slots,
            killed=kill,
            files=len(self._files),
            wall_s=wall_s,
            first_file_s=downloads[0]["began"] - began_at,
            busy=busy_s / (wall_s * len(os.sched_getaffinity(0))),
            downloads=len(downloads),
            parts=len(parts),
            killed_at_s=killed_at_s,
        )
        print(f"{workers} workers, {slots} slots: {wall_s:.0f} s", file=sys.stderr, flush=True)
        return done

    def _kill(self, backfill: str, ledger: LedgerPlace, slots: int, began: float) -> float:
        """When half of the files were asked for, kill a worker with the part that it is in the middle of.

        Returns:
            Seconds since `began`.

        Raises:
            CommandFailedError: There was no such moment.
        """
        first_seen: dict[str, int] = {}
        while not self._composed.look(backfill).is_final:
            downloads = self._downloads()
            for part, process in ledger.parts_at_work().items():
                before = first_seen.setdefault(part, downloads)
                if downloads >= len(self._files) / 2 and downloads - before >= slots:
                    self._composed.worker_of(process).kill()
                    return time.monotonic() - began
            time.sleep(_POLL_S)
        raise CommandFailedError("The backfill ended before a worker could be killed in the middle of a part.")

    def _downloads(self) -> int:
        return sum(one["endpoint"] == "download" for one in self._servers.requests())

    def _check(self, store_url: str, report: dict[str, Any], in_ledger: int) -> None:
        """Make sure that every file is in the bucket once, in the ledger, and in a report that adds up.

        Raises:
            CommandFailedError: It is not.
        """
        names = Counter(key.rpartition("/")[2] for key in self._servers.keys(store_url) if key.startswith("raw/"))
        if names != Counter(self._files) or not self._files:
            raise CommandFailedError(
                f"Of {len(self._files)} files the bucket has {len(names)}, and {names.total()} in all."
            )
        counts = {name: report[name] for name in ("mirrored", "already", "held", "quarantined", "gone", "failed")}
        filtered = sum(report["filtered"].values())
        done = counts["mirrored"] + counts["already"]
        if {done, in_ledger, sum(counts.values()), report["listed"] - filtered} != {len(self._files)}:
            raise CommandFailedError(f"{len(self._files)} files, in the ledger {in_ledger}; the report: {counts}.")


def _busy_s() -> float:
    used = psutil.cpu_times()
    return float(used.user + used.nice + used.system)


def _table(runs: Sequence[Run]) -> str:
    """Return a Markdown table, a line per run, with the ratio to the first."""
    base = runs[0].files / runs[0].wall_s
    lines = [
        "",
        f"{runs[0].files} files, {runs[0].parts} parts; {machine()}",
        "",
        "| workers | transfers at once | files/s | s | first file after s | processors in use | downloads |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for run in runs:
        who = f"{run.workers}, one killed after {run.killed_at_s:.0f} s" if run.killed_at_s else str(run.workers)
        speed = run.files / run.wall_s
        lines.append(
            f"| {who} | {run.slots} | {speed:.1f} ({speed / base:.2f}) | {run.wall_s:.0f} | {run.first_file_s:.0f}"
            f" | {run.busy:.0%} | {run.downloads} |"
        )
    return "\n".join(lines)


def _loss(runs: Sequence[Run]) -> str:
    """Say what the kill cost."""
    killed = [run for run in runs if run.killed]
    if not killed:
        return ""
    whole = next(run for run in runs if (run.workers, run.killed) == (killed[0].workers, False))
    lost_s, twice = killed[0].wall_s - whole.wall_s, killed[0].downloads - killed[0].files
    return f"\nThe kill cost {lost_s:.0f} s; downloads begun twice: {twice}. Every file is there once."


def _parser() -> argparse.ArgumentParser:
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_out", description=summary)
    add = parser.add_argument
    add("--workers", nargs="+", type=int, default=[1, 2, 3], help="numbers of workers, ascending (1 2 3)")
    add("--days", type=int, default=30, help="days of data, 24 files each (%(default)s)")
    add("--days-per-part", type=int, default=5, help="days that one child run does (%(default)s)")
    add("--file-bytes", type=size, default=60_000, help="size of a file (60kB)")
    add("--slots", type=int, default=4, help="transfers at once for each worker (%(default)s)")
    add("--latency", type=float, default=0.2, help="seconds that the archive takes to answer (%(default)s)")
    add("--bytes-per-s", type=size, default=150_000, help="what a connection to the archive carries (150kB)")
    add("--no-all-slots", dest="all_slots", action="store_false", help="leave out one worker with all transfers")
    add("--no-kill", dest="kill", action="store_false", help="leave out the run in which a worker is killed")
    add("--folder", type=Path, default=None, help="where archive and store keep their data (the temporary folder)")
    add("--json", type=Path, default=None, metavar="FILE", help="also write all figures there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
