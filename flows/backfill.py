"""The backfill: a range of data time, fetched day by day of each device, by this run or by many on many workers.

Run it as `backfill/backfill`. Whatever the range, it can be repeated: what is mirrored is not fetched again, and a
slice that is done costs one listing. It has a share of the transfers, so that the hourly run never waits for it. It
needs the environment of `onc-mirror` (ONC_TOKEN, ONC_MIRROR_STORE_URL, AWS_*); a range of more than `slices_per_run`
days of devices needs a work pool that takes several runs at a time, as this one waits for its child runs
(`backfill-part/part`). When it fails, look at its artifacts first: `backfill-attention` names what is wrong, and why.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from prefect import State, flow
from pydantic import Field

from onc_mirror.backfill.spanning import BackfillRequest
from onc_mirror.flow_names import BACKFILL
from onc_mirror.mirror import open_mirror
from onc_mirror.run.life import begun_run
from onc_mirror.settings import MirrorSettings
from onc_mirror.transfer.progress import Progress
from tasks.backfilling import (
    begin_backfill,
    fill_slices,
    finish_backfill,
    forecast_state,
    look_ahead,
    show_forecast,
)
from tasks.links import run_link
from tasks.parameters import ChosenDevices, Day, Extensions, OnlyFailed, ProductCodes
from tasks.policy import safely
from tasks.progress import shown_progress
from tasks.reporting import run_state, show_run
from tasks.spreading import RUNS_IN_FLIGHT, SLICES_PER_RUN, Spread, run_parts
from tasks.starting import backfill_request, foresees_only, run_settings


@flow(name=BACKFILL, log_prints=False, persist_result=False)
def backfill(  # noqa: PLR0913 - the parameters of a deployment
    since: Day,
    until: Day | None = None,
    devices: ChosenDevices | None = None,
    *,
    products: ProductCodes | None = None,
    extensions: Extensions | None = None,
    only: OnlyFailed | None = None,
    dry_run: bool | None = None,
    slices_per_run: Annotated[int, Field(ge=1, le=1000)] = SLICES_PER_RUN,
    runs_in_flight: Annotated[int, Field(ge=1, le=50)] = RUNS_IN_FLIGHT,
) -> State[Any]:
    """Mirror the data of a range of days.

    Args:
        since: Fetch the data from this day on, UTC, such as 2026-11-22; 2006-01-01 or later.
        until: Fetch the data up to the begin of this day, UTC, instead of until now. As `since`.
        devices: Only these, instead of all devices of the table that were in the water then.
        products: Only these data products, by their codes, instead of all.
        extensions: Only these extensions, such as hdf5, instead of those of ONC_MIRROR_EXTENSIONS.
        only: With `failed` only files that are held, or were given up after their last attempt.
        dry_run: Only say what would be fetched, and how long it may take. Left open, a range of more than 366 days is
            only looked at, since a year is easily mistyped; false fetches whatever the range.
        slices_per_run: Days of devices that this run does itself, 1 to 1000; more become child runs of as many each.
        runs_in_flight: Child runs at a time, 1 to 50.

    Returns:
        Completed, completed under the name `CompletedWithHeld` when files are held or quarantined, `CompletedDryRun`
        when it only looked, or failed when something could not be listed or a file failed.
    """
    options = {"products": products, "extensions": extensions, "only": only}
    return _backfill(since, until, devices, options, dry_run=dry_run, limits=(slices_per_run, runs_in_flight))


# Apart from the flow, because Prefect reads the annotations of what it decorates where that is defined.
@safely
def _backfill(  # noqa: PLR0913 - as above
    since: datetime,
    until: datetime | None,
    devices: list[str] | None,
    options: dict[str, Any],
    *,
    dry_run: bool | None,
    limits: tuple[int, int],
) -> State[Any]:
    settings = run_settings()
    request = backfill_request(settings, since, until, devices=devices, **options)
    if foresees_only(request, dry_run=dry_run, now=datetime.now(UTC)):
        return _look_ahead(settings, request, asked=dry_run is True)
    return _fill(settings, request, Spread(*limits, options))


def _look_ahead(settings: MirrorSettings, request: BackfillRequest, *, asked: bool) -> State[Any]:
    with open_mirror(settings) as mirror:
        forecast = look_ahead(mirror, request)
    show_forecast(forecast, return_state=True)  # a table that cannot be shown changes nothing
    return forecast_state(forecast, asked=asked)


def _fill(settings: MirrorSettings, request: BackfillRequest, spread: Spread) -> State[Any]:
    with open_mirror(settings) as mirror, begun_run(mirror, BACKFILL, link=run_link()) as run:
        span = begin_backfill(mirror, run, request)
        tally, progress = span.new_tally(), Progress()
        with shown_progress(run, progress):
            if span.slices <= spread.slices_per_run:
                fill_slices(mirror, span, tally, progress)
            else:
                run_parts(mirror, span, tally, progress, spread)
        report = finish_backfill(mirror, run, span, tally)
    show_run(run, report, settings, return_state=True)  # tables that cannot be shown change nothing
    return run_state(report)
