"""The hourly mirror: what the archive newly took in, downloaded, proven and published.

Scheduled as `mirror-hour/hourly`. A run works from the watermarks in the ledger, so a missed run costs nothing but
time, and a second run right after does nothing. It needs the environment of `onc-mirror` (ONC_TOKEN,
ONC_MIRROR_STORE_URL, AWS_*). When it fails, look at its artifacts first: `mirror-hour-attention` names every
device and file that something is wrong with, and why; `mirror-hour-standing` where each device is, and
`mirror-hour-waiting` all files that wait, of earlier runs as well. A run that is given `since` or `until` is
recorded as `mirror-on-demand`, its artifacts too, and says nothing of whether the schedule works.
"""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from onc_mirror.flow_names import HOURLY
from onc_mirror.mirror import open_mirror
from onc_mirror.planning import outcomes as settled
from onc_mirror.run.gathering import MirrorRequest
from onc_mirror.run.life import begun_run
from tasks.links import run_link
from tasks.listing import begin_inquiry, find_devices, list_devices
from tasks.parameters import ChosenDevices, Time
from tasks.policy import safely
from tasks.reporting import finish_run, run_state, show_plan, show_run
from tasks.standing import show_standing
from tasks.starting import hourly_request, run_settings
from tasks.transferring import plan_transfers, transfer_files


@flow(name=HOURLY, log_prints=False, persist_result=False)
def mirror_hour(
    since: Time | None = None, until: Time | None = None, devices: ChosenDevices | None = None
) -> State[Any]:
    """Mirror what the archive took in since the last run.

    Args:
        since: Take what was archived from here on, instead of from each device's watermark. A time with its zone,
            such as 2026-11-22T06:00:00Z; without a zone it is UTC.
        until: Take what was archived before this, instead of until now. As `since`.
        devices: Only these, whether in the water or not, instead of all that are deployed.

    Returns:
        Completed, completed under the name `CompletedWithHeld` when files are held or quarantined, or failed when
        a device could not be listed or a file failed. With a window of its own completed as `CompletedOnDemand` or
        `CompletedOnDemandWithHeld`.
    """
    return _mirror_hour(hourly_request(since, until, devices))


# Apart from the flow, because Prefect reads the annotations of what it decorates where that is defined.
@safely
def _mirror_hour(request: MirrorRequest) -> State[Any]:
    settings = run_settings()
    with open_mirror(settings) as mirror, begun_run(mirror, request.flow, link=run_link()) as run:
        inquiry = begin_inquiry(mirror, run, request)
        gathered = list_devices(mirror, inquiry, find_devices(mirror, inquiry))
        planned = plan_transfers(mirror, inquiry, gathered)
        show_plan(run, planned, return_state=True)  # a table that cannot be shown stops nothing
        outcomes = transfer_files(mirror, run, planned)
        report = finish_run(mirror, run, gathered, [*settled(planned), *outcomes])
        show_standing(mirror, report, return_state=True)
    show_run(run, report, settings, return_state=True)  # tables that cannot be shown change nothing
    return run_state(report)
