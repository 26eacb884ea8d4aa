"""A backfill: a range of data time, slice by slice, through the same planner and the same steps as an hour.

`backfill` runs it in this process. An orchestrated flow calls the same functions with its own tasks around them, and
ends in the same report.

Guarantees: each file that the archive lists for the range is counted once and comes to an end; a slice that was done
before costs one listing; no watermark moves; a failing slice costs nobody else, but when slice after slice fails the
rest is left for a later backfill; what is at work at once, and what it asks of the archive, stays within the lane
(`lanes`), and memory does not grow with the range.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onc_mirror.backfill.enduring import Endurance
from onc_mirror.backfill.lanes import Lane, open_lane
from onc_mirror.backfill.postponing import ROUNDS, Postponed
from onc_mirror.backfill.slicing import cut_slices
from onc_mirror.backfill.spanning import BackfillRequest, Span, begin_backfill
from onc_mirror.faults import named
from onc_mirror.flow_names import BACKFILL
from onc_mirror.model import Decision
from onc_mirror.report.document import NO_DEVICE, DeviceError
from onc_mirror.report.failures import unreached
from onc_mirror.run.life import begun_run, close_run
from onc_mirror.threads import side_by_side
from onc_mirror.transfer.batch import transfer_files
from onc_mirror.transfer.progress import NoSliceWatcher, SliceWatcher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from onc_mirror.backfill.slicing import Slice
    from onc_mirror.mirror import Mirror
    from onc_mirror.model import Outcome
    from onc_mirror.report.document import RunReport
    from onc_mirror.report.tally import Tally

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """What the slices of a run share.

    Attributes:
        mirror: The parts; its archive is asked at the lane's pace.
        span: What the run goes over.
        lane: Its part of the transfers.
        tally: Counts the ends.
        watcher: Is told.
        endurance: Says when nothing works any more.
        postponed: Remembers the files that another run has claimed.
    """

    mirror: Mirror
    span: Span
    lane: Lane
    tally: Tally
    watcher: SliceWatcher
    endurance: Endurance = field(default_factory=Endurance)
    postponed: Postponed = field(default_factory=Postponed)


@dataclass(frozen=True, slots=True)
class SliceEnd:
    """How a slice ended.

    Attributes:
        counts: Number of files by decision.
        error: Why nothing could be done; None when it could. What single files ended in is in `counts`.
        is_passed_over: Whether it was left alone, since slice after slice had failed.
    """

    counts: Mapping[str, int]
    error: DeviceError | None = None
    is_passed_over: bool = False


def backfill(mirror: Mirror, request: BackfillRequest, watcher: SliceWatcher | None = None) -> RunReport:
    """Fetch what is missing of a range of data, in this process.

    Raises:
        SettingsError: The range is empty.
        MirrorError: Nothing could be begun; see `hour.mirror_hour`.
    """
    with begun_run(mirror, BACKFILL) as run:
        span = begin_backfill(mirror, run, request)
        tally = span.new_tally()
        with open_lane(mirror, run.run_id) as (lane, paced):
            run_slices(Work(paced, span, lane, tally, watcher or NoSliceWatcher()), fill)
        return close_run(mirror, run, tally, (span.days.since, span.days.until))


def run_slices(work: Work, do: Callable[[Work, Slice], Sequence[Outcome]]) -> None:
    """Do something with all slices, several side by side, none of them held before its turn or after its end."""
    if not may_begin(work):
        return
    with side_by_side(work.lane.total, "slice") as pool:
        running: set[Future[SliceEnd]] = set()
        for one in cut_slices(work.span.device_codes, work.span.days):
            running.add(pool.submit(end_slice, work, one, do))
            if len(running) > 2 * work.lane.total:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
    for future in running:
        future.result()
    end_postponed(work)
    note_surrender(work)


def end_postponed(work: Work) -> None:
    """Come back to the files that another run had claimed; those that it still has after a lease stay held."""
    lease_s = work.mirror.settings.lease.total_seconds()
    for round_number in range(1, ROUNDS + 2):
        waiting = work.postponed.take()
        if not waiting:
            return
        work.lane.rest(lease_s / ROUNDS)
        is_last = round_number > ROUNDS
        with side_by_side(work.lane.total, "again") as pool:
            for one, claimed in waiting:
                pool.submit(end_slice, work, one, functools.partial(fill, only=claimed, is_last=is_last))


def may_begin(work: Work) -> bool:
    """Say whether the archive can be asked; if not, that is each device's error."""
    cause = work.span.inquiry.unreachable
    if cause is None:
        work.watcher.asked(len(work.span.device_codes))
        work.watcher.begun(work.span.slices)
        return True
    work.tally.fail(*unreached(work.span.device_codes, cause))
    return False


def note_surrender(work: Work) -> None:
    """Tell which slices were left alone since nothing worked any more."""
    if surrender := work.endurance.surrender:
        cause, left = surrender
        detail = (
            f"So many days failed one after the other that the other {left} of {work.span.slices} were left:"
            f" {cause.detail} Repeat the backfill when that is mended; it goes on where it was."
        )
        work.tally.fail(DeviceError(NO_DEVICE, cause.reason, detail))


def end_slice(work: Work, one: Slice, do: Callable[[Work, Slice], Sequence[Outcome]]) -> SliceEnd:
    """Bring a slice to its end; what goes wrong is told in the tally, and stops nobody."""
    if work.endurance.passes_over():
        return SliceEnd({}, is_passed_over=True)
    try:
        outcomes = do(work, one)
    except Exception as error:  # noqa: BLE001 - also a fault of ours with one slice must not cost the others
        cause = named(error)
        logger.error("slice=%s decision=failed reason=%s detail=%r", one, cause.reason, str(cause))  # noqa: TRY400 - its text is the message, the stack adds nothing
        failure = DeviceError(one.device_code, cause.reason, f"{one.window.since:%Y-%m-%d}: {cause}")
        work.tally.fail(failure)
        end = SliceEnd({}, failure)
        work.endurance.note(failure)
    else:
        work.tally.add(outcomes)
        end = SliceEnd(Counter(str(outcome.decision) for outcome in outcomes))
        work.endurance.note(_outage(outcomes))
    work.watcher.ended()
    return end


def fill(work: Work, one: Slice, *, only: Sequence[Outcome] | None = None, is_last: bool = False) -> list[Outcome]:
    """Bring every file of a slice to its end, but for those that are postponed.

    Args:
        work: What the slices share.
        one: The slice.
        only: These files of it, and no others.
        is_last: Postpone nothing any more.

    Raises:
        MirrorError: The archive did not list, or the ledger is out of reach.
    """
    from onc_mirror import planning  # noqa: PLC0415 - they bring pandas, which takes long to import
    from onc_mirror.backfill.sifting import failures_in, list_slice  # noqa: PLC0415 - as above
    from onc_mirror.run import plans  # noqa: PLC0415 - they bring pandas, which takes long to import

    mirror, inquiry = work.mirror, work.span.inquiry
    if only is None and work.span.only_failed:
        only = failures_in(mirror, one)
        if not only:
            return []
    with work.lane.slot():
        sifted = list_slice(mirror, one, inquiry.request.selection, only)
        run_id, code = inquiry.run.run_id, one.device_code
        mirror.ledger.record_listed(sifted.listing.files, run_id=run_id, now=mirror.clock(), device_code=code)
        planned = plans.plan_listings(mirror, inquiry, [sifted.listing], again=sifted.again)
        files = plans.to_fetch(planned)
        with work.lane.more_slots(len(files) - 1) as more:
            ends = transfer_files(mirror, inquiry.run, files, work.watcher, threads=1 + more)
    settled = planning.outcomes(planned)
    return [*sifted.left_out, *(settled if is_last else work.postponed.without_claimed(one, settled)), *ends]


def _outage(outcomes: Sequence[Outcome]) -> DeviceError | None:
    """What is wrong with archive, store or this machine when nothing at all could be fetched for it."""
    tried = [end for end in outcomes if end.decision in {Decision.MIRRORED, Decision.FAILED}]
    if not tried or any(end.decision is Decision.MIRRORED or end.blames_file for end in tried):
        return None
    return DeviceError(NO_DEVICE, tried[-1].reason, tried[-1].detail)
