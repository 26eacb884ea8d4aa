"""One hour of the mirror, told once: what is listed, planned, transferred, recorded and reported.

`mirror_hour` runs it in this process with bounded threads. An orchestrated flow calls the same functions in the
same order with its own tasks around them, and ends in the same report.

Guarantees: every listed row is in the ledger before anything is transferred; each file's outcome is recorded as
soon as it is known; watermarks move only after that; a failing file or device costs neither the others nor the
record of what was done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.clocks import read_clock
from onc_mirror.gathering import begin_inquiry, devices_of, list_devices
from onc_mirror.retrying import with_retries
from onc_mirror.run_transfers import NoWatcher, transfer_files
from onc_mirror.runs import begun_run, finish_run

if TYPE_CHECKING:
    from onc_mirror.gathering import MirrorRequest
    from onc_mirror.mirror import Mirror
    from onc_mirror.reporting import RunReport
    from onc_mirror.run_transfers import Watcher

FLOW = "mirror-hour"


def mirror_hour(mirror: Mirror, request: MirrorRequest, watcher: Watcher | None = None) -> RunReport:
    """Mirror what the archive newly took in, in this process.

    Returns:
        The report; also kept in the ledger, and in the bucket when something was done or is wrong.

    Raises:
        MirrorError: Nothing could be begun: the token is rejected, the bucket is missing or closed, the ledger
            is out of reach. What goes wrong with one device or file is in the report instead.
    """
    with begun_run(mirror, FLOW) as run:
        delays = mirror.settings.retry_delays_s
        inquiry = begin_inquiry(run, request, lambda: with_retries(lambda: read_clock(mirror, run), delays))
        gathered = list_devices(mirror, inquiry, devices_of(mirror, inquiry))
        # Imported now, as it brings pandas: `open_mirror` has it loaded while the archive answers.
        from onc_mirror import planning, run_planning  # noqa: PLC0415 - see above

        planned = run_planning.plan_run(mirror, inquiry, gathered)
        outcomes = transfer_files(mirror, run, run_planning.to_fetch(planned), watcher or NoWatcher())
        return finish_run(mirror, run, gathered, [*planning.outcomes(planned), *outcomes])
