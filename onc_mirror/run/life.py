"""A run's life, whatever it does: it begins, breaks off or finishes, and ends in a report.

Guarantees: a run that began stands in the ledger, and one that ended stands there with its report, also when it
broke off; while it lives it keeps its claims on files; a device's watermark moves only when the run ends, only over a
window that was listed whole and is believed, and never backwards; the bucket gets the report when something was done
or is wrong.
"""

from __future__ import annotations

import functools
import logging
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onc_mirror.alerts.pinging import ping_begun
from onc_mirror.alerts.story import note_end
from onc_mirror.errors import MirrorError
from onc_mirror.faults import named
from onc_mirror.flow_names import HOURLY
from onc_mirror.layout import report_key
from onc_mirror.metrics.telling import keep_counts, write_metrics
from onc_mirror.repeats import repeats_heard
from onc_mirror.report.document import INTERRUPTED, NO_DEVICE, DeviceError
from onc_mirror.report.tally import Tally
from onc_mirror.retrying import with_retries
from onc_mirror.run.heartbeat import beating
from onc_mirror.run.processes import has_ended, this_process

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from onc_mirror.mirror import Mirror
    from onc_mirror.model import Outcome, TimeWindow
    from onc_mirror.report.document import RunReport
    from onc_mirror.run.gathering import Gathered

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has begun.

    Attributes:
        run_id: Its name in ledger and report.
        flow: What runs, one of `flow_names`.
        began_at: The moment fixed before anything was asked, UTC.
    """

    run_id: str
    flow: str
    began_at: datetime


@contextmanager
def begun_run(mirror: Mirror, flow: str, run_id: str | None = None, link: str | None = None) -> Iterator[Run]:
    """Begin a run, keep its leases alive and its counts safe, and tell its metrics at the end.

    One that breaks off, or is told to stop, ends in a report in the ledger that says why.

    Args:
        mirror: The parts.
        flow: What runs.
        run_id: Its name, when somebody waits for its report under it.
        link: Where it can be looked at while it runs and after.
    """
    run = begin_run(mirror, flow, run_id, link)
    keep = functools.partial(keep_counts, mirror.meter, mirror.ledger)
    beats = beating(mirror.ledger, run.run_id, mirror.settings.lease, mirror.clock, also=keep)
    try:
        with repeats_heard(mirror.meter.repeated), beats:
            yield run
    except KeyboardInterrupt:
        _break_off(mirror, run, INTERRUPTED, "The run was told to stop; the next one goes on from there.")
        raise
    except Exception as error:  # a fault of ours must not leave a run that seems to go on for ever
        cause = named(error)
        try:
            _break_off(mirror, run, cause.reason, str(cause))
        finally:
            note_end(mirror, run.run_id, flow)
        raise
    else:
        note_end(mirror, run.run_id, flow)
    finally:
        keep()
        write_metrics(mirror.ledger, mirror.settings, mirror.clock())


def begin_run(mirror: Mirror, flow: str, run_id: str | None = None, link: str | None = None) -> Run:
    """Fix the run's moment and name, note in the ledger that it began, and end the claims of runs killed here."""
    now = mirror.clock()
    for killed in mirror.ledger.leases.release_ended(has_ended, now):
        logger.warning("run=%s state=killed detail=%r", killed, "What it was doing is taken over.")
    run = Run(run_id or f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}", flow, now)
    alive_until = now + mirror.settings.lease
    mirror.ledger.start_run(run.run_id, flow, now, alive_until=alive_until, process=this_process(), link=link)
    if flow == HOURLY:
        ping_begun(mirror.settings)
    return run


def finish_run(mirror: Mirror, run: Run, gathered: Gathered, outcomes: Sequence[Outcome]) -> RunReport:
    """Move the watermarks, then report: to the ledger always, to the bucket when there is something to say.

    Args:
        mirror: The parts.
        run: The run.
        gathered: What the archive listed; nothing when it was not asked.
        outcomes: The end of every file, recorded already.
    """
    if gathered.moves_watermarks:
        _advance_watermarks(mirror, gathered)
    tally = Tally(_asked(gathered))
    tally.add(outcomes)
    if run.flow == HOURLY:
        tally.take_up(_taken_up(gathered, outcomes))
    tally.fail(*gathered.errors)
    return close_run(mirror, run, tally, (gathered.since, _listed_until(gathered)))


def close_run(mirror: Mirror, run: Run, tally: Tally, window: tuple[datetime | None, datetime | None]) -> RunReport:
    """Report: to the ledger always, to the bucket when there is something to say.

    Args:
        mirror: The parts.
        run: The run.
        tally: The ends of all its files, recorded already.
        window: What the report calls its window.
    """
    report = _report(mirror, run, tally, window)
    mirror.ledger.finish_run(report, mirror.clock())
    if not report.is_noteworthy:
        return report
    try:
        with_retries(lambda: _publish_report(mirror, run, report), mirror.settings.retry_delays_s)
    except MirrorError as error:
        tally.fail(DeviceError(NO_DEVICE, error.reason, f"The report is not in the bucket. {error}"))
        report = _report(mirror, run, tally, window)
        mirror.ledger.finish_run(report, mirror.clock())
    return report


def passes_watermark(watermark: datetime | None, window: TimeWindow) -> bool:
    """Whether a fully listed `window` moves `watermark` to its end: it must leave no gap behind.

    >>> from datetime import UTC, datetime
    >>> from onc_mirror.model import TimeWindow
    >>> at = lambda hour: datetime(2026, 11, 22, hour, tzinfo=UTC)
    >>> passes_watermark(at(10), TimeWindow(at(9), at(12)))
    True
    >>> passes_watermark(at(8), TimeWindow(at(9), at(12)))
    False
    """
    return watermark is None or window.since <= watermark < window.until


def _advance_watermarks(mirror: Mirror, gathered: Gathered) -> None:
    now = mirror.clock()
    for listing in gathered.listings:
        if listing.window is None:
            continue
        mirror.ledger.doubt_device(listing.device_code, listing.doubt, now)
        if listing.doubt is None and passes_watermark(mirror.ledger.watermark(listing.device_code), listing.window):
            mirror.ledger.advance_watermark(listing.device_code, listing.window.until, now)


def _break_off(mirror: Mirror, run: Run, reason: str, detail: str) -> None:
    tally = Tally()
    tally.fail(DeviceError(NO_DEVICE, reason, detail))
    try:
        mirror.ledger.finish_run(_report(mirror, run, tally, (None, None)), mirror.clock())
    except MirrorError as error:  # what broke the run off says more, and is on its way to the caller
        logger.warning("run=%s end=not-entered detail=%r", run.run_id, str(error))


def _publish_report(mirror: Mirror, run: Run, report: RunReport) -> None:
    key = report_key(run.flow, run.run_id, run.began_at)
    mirror.store.write(key, report.to_json().encode(), "application/json")


def _listed_until(gathered: Gathered) -> datetime | None:
    """Up to when all devices were listed: earlier than asked while one of them still catches up."""
    if gathered.until is None:
        return None
    ends = (listing.window.until for listing in gathered.listings if listing.window is not None)
    return min([gathered.until, *ends])


def _taken_up(gathered: Gathered, outcomes: Iterable[Outcome]) -> int:
    """How many of the files no listing of this run has: left unfinished by earlier runs, or vanished since."""
    listed = {file.filename for listing in gathered.listings for file in listing.files}
    return sum(outcome.file.filename not in listed for outcome in outcomes)


def _asked(gathered: Gathered) -> list[str]:
    listed = [one.device_code for one in gathered.listings]
    return listed + [error.device for error in gathered.errors if error.device]


def _report(mirror: Mirror, run: Run, tally: Tally, window: tuple[datetime | None, datetime | None]) -> RunReport:
    seconds = (mirror.clock() - run.began_at).total_seconds()
    return tally.report(run_id=run.run_id, flow=run.flow, window=window, seconds=seconds)
