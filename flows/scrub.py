"""The scrub: stored objects read back and held against what was proven, and what is damaged fetched again.

Scheduled as `scrub/daily`. It needs the environment of `onc-mirror` (ONC_TOKEN, ONC_MIRROR_STORE_URL, AWS_*). Each
run reads what is new and then what was proven longest ago, within ONC_MIRROR_SCRUB_BUDGET; one that is missed,
stopped or killed costs nothing but time. When it fails, look at `scrub-findings`: it names every object that is lost,
could not be read, or could not be mended. Where very much is damaged it fetches nothing; look why, and run it with
`force` when all is as it should be.
"""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from onc_mirror.flow_names import SCRUB
from onc_mirror.mirror import Mirror, open_mirror
from onc_mirror.run.life import begun_run
from onc_mirror.scrub.findings import Scrubbed
from onc_mirror.scrub.story import ScrubRequest
from onc_mirror.transfer.progress import Progress
from tasks.links import run_link
from tasks.parameters import Bytes, ChosenDevices
from tasks.policy import safely
from tasks.progress import shown_progress
from tasks.scrubbing import (
    abort_stale_uploads,
    choose_objects,
    finish_scrub,
    prepare_repair,
    read_objects,
    scrub_state,
    show_scrub,
)
from tasks.starting import run_settings
from tasks.transferring import transfer_each


@flow(name=SCRUB, log_prints=False, persist_result=False)
def scrub(
    devices: ChosenDevices | None = None, budget_bytes: Bytes | None = None, *, force: bool = False
) -> State[Any]:
    """Read stored objects back, and mend what is damaged.

    Args:
        devices: Only objects of these, instead of all.
        budget_bytes: The most to read, in bytes, instead of ONC_MIRROR_SCRUB_BUDGET; at least 1.
        force: Fetch again also where very much is damaged, which looks like an accident with the whole bucket.

    Returns:
        Completed, completed under the name `CompletedWithHeld` when files are held or quarantined, or failed when
        something is lost, or could not be read or mended.
    """
    return _scrub(ScrubRequest(tuple(devices or ()), budget_bytes, force))


# Apart from the flow, because Prefect reads the annotations of what it decorates where that is defined.
@safely
def _scrub(request: ScrubRequest) -> State[Any]:
    settings = run_settings()
    with open_mirror(settings) as mirror:
        scrubbed = _read_and_mend(mirror, request)
    show_scrub(scrubbed, settings, return_state=True)  # tables that cannot be shown change nothing
    return scrub_state(scrubbed)


def _read_and_mend(mirror: Mirror, request: ScrubRequest) -> Scrubbed:
    with begun_run(mirror, SCRUB, link=run_link()) as run:
        chosen, progress = choose_objects(mirror, run, request), Progress()
        stale = abort_stale_uploads(mirror)
        with shown_progress(run, progress):
            reading = read_objects(mirror, chosen, progress)
            repair = prepare_repair(mirror, run, reading, force=request.force)
            ends = transfer_each(mirror, run, repair.files, progress)
        return finish_scrub(mirror, run, chosen, stale, reading, repair, ends)
