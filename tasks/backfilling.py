"""A backfill's slices: one task per device and day with threads inside, or child runs that any worker takes.

Never a task per file: years of data are more files than Prefect can write down, and its database would grow by some
16 kB for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from onc_mirror.backfill import forecasting, spanning, story
from onc_mirror.backfill.forecasting import Forecast
from onc_mirror.backfill.lanes import open_lane
from onc_mirror.backfill.slicing import Slice, cut_slices
from onc_mirror.backfill.spanning import BackfillRequest, Span
from onc_mirror.backfill.story import SliceEnd, Work
from onc_mirror.backfill.words import forecast_sentence
from onc_mirror.mirror import Mirror
from onc_mirror.report.document import DeviceError, RunReport
from onc_mirror.report.tally import Tally
from onc_mirror.run import life
from onc_mirror.run.life import Run
from onc_mirror.transfer.progress import Progress
from onc_mirror.wording import printable
from tasks.policy import UNCACHED, safely
from tasks.starting import MOST_DAYS
from tasks.tables import show_table

if TYPE_CHECKING:
    from prefect import State

_NOTHING_TO_FETCH = {"device": "", "day": "", "files": 0, "bytes": 0}


@task(name="begin-backfill", **UNCACHED)
@safely
def begin_backfill(mirror: Mirror, run: Run, request: BackfillRequest) -> Span:
    """Fix days and devices, and see whether archive and bucket are there."""
    return spanning.begin_backfill(mirror, run, request)


@task(name="fill-slice", task_run_name="fill {one}", **UNCACHED)
@safely
def fill_slice(work: Work, one: Slice) -> State[SliceEnd]:
    """Bring every file of one device and day to its end."""
    end = story.end_slice(work, one, story.fill)
    if end.error is not None:
        return Failed(message=printable(f"{end.error.device} {end.error.detail}"), data=end)
    if end.is_passed_over:
        return Completed(name="PassedOver", message="Day after day failed; see the run.", data=end)
    told = ", ".join(f"{number} {decision}" for decision, number in sorted(end.counts.items()))
    return Completed(message=told or "Nothing is listed.", data=end)


@task(name="finish-backfill", **UNCACHED)
@safely
def finish_backfill(mirror: Mirror, run: Run, span: Span, tally: Tally) -> RunReport:
    """Report."""
    return life.close_run(mirror, run, tally, (span.days.since, span.days.until))


@task(name="look-ahead", **UNCACHED)
@safely
def look_ahead(mirror: Mirror, request: BackfillRequest) -> Forecast:
    """Say what a backfill would fetch."""
    return forecasting.look_ahead(mirror, request)


@task(name="show-forecast", **UNCACHED)
@safely
def show_forecast(forecast: Forecast) -> None:
    """Put what a backfill would fetch where the Prefect UI shows it."""
    rows = [{"device": day.device, "day": day.day, "files": day.files, "bytes": day.bytes} for day in forecast.days]
    show_table("backfill-forecast", forecast_sentence(forecast), rows, nothing=_NOTHING_TO_FETCH)


def fill_slices(mirror: Mirror, span: Span, tally: Tally, progress: Progress) -> None:
    """Fill all slices of a span in this run, as many side by side as the lane has slots."""
    with open_lane(mirror, span.inquiry.run.run_id) as (lane, paced):
        work = Work(paced, span, lane, tally, progress)
        if not story.may_begin(work):
            return
        runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=lane.total)
        with runner:
            futures = [
                (one, runner.submit(fill_slice, {"work": work, "one": one}))
                for one in cut_slices(span.device_codes, span.days)
            ]
            for one, future in futures:
                if not isinstance(future.result(raise_on_failure=False), SliceEnd):
                    tally.fail(DeviceError(one.device_code, "unexpected", f"{one}: its task broke down. Repeat it."))
        story.end_postponed(work)
        story.note_surrender(work)


def forecast_state(forecast: Forecast, *, asked: bool) -> State[None]:
    """The state of a dry run, which says so when nobody asked for it.

    Args:
        forecast: What would be fetched.
        asked: Whether a dry run was asked for.
    """
    advice = "" if asked else f" Nothing was fetched, as these are more than {MOST_DAYS} days: dry_run=false does it."
    message = printable(f"{forecast_sentence(forecast)}{advice}")
    return Failed(message=message) if forecast.exit_code else Completed(name="CompletedDryRun", message=message)
