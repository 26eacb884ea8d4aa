"""One hour of the mirror, told once: what is listed, planned, transferred, recorded and reported.

`mirror_hour` runs it in this process with bounded threads. An orchestrated flow calls the same functions in the
same order with its own tasks around them, and ends in the same report.

Guarantees: every listed row is in the ledger before anything is transferred; each file's outcome is recorded as
soon as it is known; a device's watermark moves only after that, only when the device was listed, and never
backwards; a failing file or device costs neither the others nor the record of what was done.
"""

from __future__ import annotations

import logging
from concurrent.futures import as_completed
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from onc_mirror.errors import MirrorError
from onc_mirror.faults import named
from onc_mirror.gathering import FLOW, Gathered, begin_run, devices_of, list_devices, passes_watermark
from onc_mirror.layout import report_key
from onc_mirror.reporting import DeviceError, build_report
from onc_mirror.retrying import with_retries
from onc_mirror.threads import side_by_side
from onc_mirror.transferring import RetriedSteps, failed, mirror_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from onc_mirror.gathering import MirrorRequest, Run
    from onc_mirror.mirror import Mirror
    from onc_mirror.model import ArchiveFile, Outcome
    from onc_mirror.reporting import RunReport
    from onc_mirror.transferring import Steps

logger = logging.getLogger(__name__)

NO_DEVICE = ""


class Watcher(Protocol):
    """Somebody who wants to see a run's progress. Called from several threads."""

    def planned(self, files: int, size_bytes: int) -> None:
        """So many files and bytes are about to be transferred."""

    def advanced(self, size_bytes: int) -> None:
        """So many bytes more came in; negative when a download starts over."""

    def concluded(self, outcome: Outcome) -> None:
        """A file came to its end."""


class NoWatcher:
    """Nobody watches."""

    def planned(self, files: int, size_bytes: int) -> None:
        """Do nothing."""

    def advanced(self, size_bytes: int) -> None:
        """Do nothing."""

    def concluded(self, outcome: Outcome) -> None:
        """Do nothing."""


def mirror_hour(mirror: Mirror, request: MirrorRequest, watcher: Watcher | None = None) -> RunReport:
    """Mirror what the archive newly took in, in this process.

    Returns:
        The report; also kept in the ledger, and in the bucket when something was done or is wrong.

    Raises:
        MirrorError: Nothing could be begun: the token is rejected, the bucket is missing or closed, the ledger
            is out of reach. What goes wrong with one device or file is in the report instead.
    """
    with begun_run(mirror, request) as run:
        gathered = list_devices(mirror, run, devices_of(mirror, run))
        # Imported now, as it brings pandas: `open_mirror` has it loaded while the archive answers.
        from onc_mirror import planning, run_planning  # noqa: PLC0415

        planned = run_planning.plan_run(mirror, run, gathered)
        outcomes = transfer_files(mirror, run, run_planning.to_fetch(planned), watcher or NoWatcher())
        return finish_run(mirror, run, gathered, [*planning.outcomes(planned), *outcomes])


@contextmanager
def begun_run(mirror: Mirror, request: MirrorRequest) -> Iterator[Run]:
    """Begin a run; one that breaks off, or is told to stop, ends in a report in the ledger that says why."""
    run = begin_run(mirror, request)
    try:
        yield run
    except KeyboardInterrupt:
        _break_off(mirror, run, "interrupted", "The run was told to stop; the next one goes on from there.")
        raise
    except Exception as error:  # a fault of ours must not leave a run that seems to go on for ever
        cause = named(error)
        _break_off(mirror, run, cause.reason, str(cause))
        raise


def _break_off(mirror: Mirror, run: Run, reason: str, detail: str) -> None:
    cause = DeviceError(NO_DEVICE, reason, detail)
    mirror.ledger.finish_run(_report(mirror, run, Gathered(errors=[cause]), ()), mirror.clock())


def transfer_files(mirror: Mirror, run: Run, files: Sequence[ArchiveFile], watcher: Watcher) -> list[Outcome]:
    """Transfer files, a bounded number at a time; each outcome is recorded at once."""
    watcher.planned(len(files), sum(file.expected_bytes or 0 for file in files))
    steps = RetriedSteps(watcher.advanced)
    outcomes = []
    with side_by_side(mirror.settings.concurrency, "transfer") as pool:
        for future in as_completed([pool.submit(conclude, mirror, run, file, steps) for file in files]):
            outcomes.append(future.result())
            watcher.concluded(outcomes[-1])
    return outcomes


def conclude(mirror: Mirror, run: Run, file: ArchiveFile, steps: Steps) -> Outcome:
    """Bring one file to its end and enter that in the ledger."""
    try:
        outcome = mirror_file(mirror, file, steps)
    except Exception as error:  # a fault of ours with one file must not cost the others
        logger.exception("file=%s device=%s decision=failed", file.filename, file.device_code)
        outcome = failed(file, named(error))
    mirror.ledger.record(outcome, run_id=run.run_id, now=mirror.clock())
    return outcome


def finish_run(mirror: Mirror, run: Run, gathered: Gathered, outcomes: Sequence[Outcome]) -> RunReport:
    """Move the watermarks, then report: to the ledger always, to the bucket when there is something to say."""
    if run.request.sees_everything:
        _advance_watermarks(mirror, gathered)
    report = _report(mirror, run, gathered, outcomes)
    mirror.ledger.finish_run(report, mirror.clock())
    if not report.is_noteworthy:
        return report
    try:
        with_retries(lambda: _publish_report(mirror, run, report), mirror.settings.retry_delays_s)
    except MirrorError as error:
        gathered.errors.append(DeviceError(NO_DEVICE, error.reason, f"The report is not in the bucket. {error}"))
        report = _report(mirror, run, gathered, outcomes)
        mirror.ledger.finish_run(report, mirror.clock())
    return report


def _publish_report(mirror: Mirror, run: Run, report: RunReport) -> None:
    key = report_key(FLOW, run.run_id, run.began_at)
    mirror.store.write(key, report.to_json().encode(), "application/json")


def _report(mirror: Mirror, run: Run, gathered: Gathered, outcomes: Iterable[Outcome]) -> RunReport:
    return build_report(
        run_id=run.run_id,
        flow=FLOW,
        window=(run.request.since, run.request.until or run.latest_end),
        devices=[one.device_code for one in gathered.listings]
        + [error.device for error in gathered.errors if error.device],
        outcomes=outcomes,
        errors=gathered.errors,
        seconds=(mirror.clock() - run.began_at).total_seconds(),
    )


def _advance_watermarks(mirror: Mirror, gathered: Gathered) -> None:
    for listing in gathered.listings:
        if listing.window is not None and passes_watermark(
            mirror.ledger.watermark(listing.device_code), listing.window
        ):
            mirror.ledger.advance_watermark(listing.device_code, listing.window.until, mirror.clock())
