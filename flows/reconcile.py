"""The reconcile: archive, ledger and bucket compared over days of data, and what is missing fetched again.

Scheduled as `reconcile/nightly` (7 days) and `reconcile/weekly` (90 days). A run that finds nothing changes nothing.
It needs the environment of `onc-mirror` (ONC_TOKEN, ONC_MIRROR_STORE_URL, AWS_*). When it fails, look at its
artifacts first: `reconcile-differences` names what differed and what became of it, `reconcile-summary` says what to
do next. Where very much would change it does nothing; look why, and run it with `force` when all is as it should be.
"""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from onc_mirror.flow_names import RECONCILE
from onc_mirror.mirror import Mirror, open_mirror
from onc_mirror.planning import outcomes as settled
from onc_mirror.reconcile.findings import Reconciliation
from onc_mirror.reconcile.story import NIGHTLY_DAYS, ReconcileRequest, unnoted_run, without_repair
from onc_mirror.run.life import begun_run
from tasks.links import run_link
from tasks.listing import begin_inquiry, find_devices
from tasks.parameters import ChosenDevices, Day, Days
from tasks.policy import safely
from tasks.reconciling import (
    finish_reconcile,
    fix_window,
    prepare_repair,
    reconcile_state,
    show_reconciliation,
    survey_devices,
)
from tasks.starting import reconcile_request, run_settings
from tasks.transferring import plan_transfers, transfer_files


@flow(name=RECONCILE, log_prints=False, persist_result=False)
def reconcile(  # noqa: PLR0913 - the parameters of a deployment
    since: Day | None = None,
    until: Day | None = None,
    days: Days = NIGHTLY_DAYS,
    devices: ChosenDevices | None = None,
    *,
    dry_run: bool = False,
    force: bool = False,
) -> State[Any]:
    """Compare what archive, ledger and bucket have, and fetch what is missing or damaged.

    Args:
        since: Compare the data from this day on, UTC, such as 2026-11-22, instead of from `days` before the end.
        until: Compare the data up to the begin of this day, UTC, instead of until now. As `since`.
        days: How far to reach back when `since` is not given, in days of data; 1 to 3650.
        devices: Only these, whether in the water or not, instead of all that are deployed.
        dry_run: Compare only; change nothing.
        force: Repair also where more than a quarter of the files would change, which looks like an accident with the
            whole bucket.

    Returns:
        Completed, completed under the name `CompletedWithFindings` when something is left for people to look at, or
        failed when a device could not be compared, a file failed, or very much would change.
    """
    return _reconcile(reconcile_request(since, until, days, devices, dry_run=dry_run, force=force))


# Apart from the flow, because Prefect reads the annotations of what it decorates where that is defined.
@safely
def _reconcile(request: ReconcileRequest) -> State[Any]:
    settings = run_settings()
    with open_mirror(settings) as mirror:
        found = _look_only(mirror, request) if request.dry_run else _mend(mirror, request)
    show_reconciliation(found, settings, return_state=True)  # tables that cannot be shown change nothing
    return reconcile_state(found)


def _mend(mirror: Mirror, request: ReconcileRequest) -> Reconciliation:
    with begun_run(mirror, RECONCILE, link=run_link()) as run:
        inquiry = begin_inquiry(mirror, run, fix_window(mirror, run, request))
        surveyed = survey_devices(mirror, inquiry, find_devices(mirror, inquiry))
        gathered = prepare_repair(mirror, inquiry, surveyed, force=request.force)
        planned = plan_transfers(mirror, inquiry, gathered)
        outcomes = transfer_files(mirror, run, planned)
        return finish_reconcile(mirror, inquiry, gathered, surveyed, [*settled(planned), *outcomes])


def _look_only(mirror: Mirror, request: ReconcileRequest) -> Reconciliation:
    run = unnoted_run(mirror)
    inquiry = begin_inquiry(mirror, run, fix_window(mirror, run, request))
    return without_repair(survey_devices(mirror, inquiry, find_devices(mirror, inquiry)), force=request.force)
