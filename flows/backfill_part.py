"""A part of a large backfill: some days of some devices. `backfill/backfill` starts it, and adds up what it reports.

It has no schedule, and nobody needs to start it by hand. A part whose process dies is started once more by the
backfill, and does only what is left.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import State, flow

from onc_mirror.backfill.spanning import BackfillRequest
from onc_mirror.flow_names import BACKFILL_PART
from onc_mirror.mirror import open_mirror
from onc_mirror.run.life import begun_run
from onc_mirror.settings import MirrorSettings
from onc_mirror.transfer.progress import Progress
from tasks.backfilling import begin_backfill, fill_slices, finish_backfill
from tasks.links import run_link
from tasks.parameters import Day, DeviceCodes, Extensions, OnlyFailed, ProductCodes, RunName
from tasks.policy import safely
from tasks.progress import shown_progress
from tasks.reporting import run_state, show_run
from tasks.starting import backfill_request, run_settings


@flow(name=BACKFILL_PART, log_prints=False, persist_result=False)
def backfill_part(  # noqa: PLR0913 - the parameters of a deployment
    since: Day,
    until: Day | None = None,
    devices: DeviceCodes | None = None,
    *,
    products: ProductCodes | None = None,
    extensions: Extensions | None = None,
    only: OnlyFailed | None = None,
    run_id: RunName | None = None,
) -> State[Any]:
    """Mirror some days of some devices in this run.

    Args:
        since: As for `backfill`.
        until: As for `backfill`.
        devices: As for `backfill`, in the device table or not.
        products: As for `backfill`.
        extensions: As for `backfill`.
        only: As for `backfill`.
        run_id: Name under which the ledger keeps the report.

    Returns:
        As `backfill`.
    """
    options = {"products": products, "extensions": extensions, "only": only}
    return _backfill_part(since, until, devices, options, run_id)


# Apart from the flow, because Prefect reads the annotations of what it decorates where that is defined.
@safely
def _backfill_part(
    since: datetime, until: datetime | None, devices: list[str] | None, options: dict[str, Any], run_id: str | None
) -> State[Any]:
    settings = run_settings()
    return _fill(settings, backfill_request(settings, since, until, devices=devices, **options), run_id)


def _fill(settings: MirrorSettings, request: BackfillRequest, run_id: str | None) -> State[Any]:
    with open_mirror(settings) as mirror, begun_run(mirror, BACKFILL_PART, run_id, run_link()) as run:
        span = begin_backfill(mirror, run, request)
        tally, progress = span.new_tally(), Progress()
        with shown_progress(run, progress):
            fill_slices(mirror, span, tally, progress)
        report = finish_backfill(mirror, run, span, tally)
    show_run(run, report, settings, return_state=True)  # tables that cannot be shown change nothing
    return run_state(report)
