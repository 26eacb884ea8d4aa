"""One hour of the mirror, told once: what is listed, planned, transferred, recorded and reported.

One that somebody asks for, over another window or of single files, is the same story under a name of its own.
`mirror_hour` runs it in this process with bounded threads. An orchestrated flow calls the same functions in the
same order with its own tasks around them, and ends in the same report.

Guarantees: every listed row is in the ledger before anything is transferred; each file's outcome is recorded as
soon as it is known; watermarks move only after that; a failing file or device costs neither the others nor the
record of what was done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.retrying import with_retries
from onc_mirror.run.clocks import read_clock
from onc_mirror.run.gathering import begin_inquiry, devices_of, list_devices
from onc_mirror.run.life import begun_run, finish_run
from onc_mirror.transfer.batch import NoWatcher, transfer_files

if TYPE_CHECKING:
    from onc_mirror.mirror import Mirror
    from onc_mirror.report.document import RunReport
    from onc_mirror.run.gathering import MirrorRequest
    from onc_mirror.transfer.batch import Watcher


def mirror_hour(mirror: Mirror, request: MirrorRequest, watcher: Watcher | None = None) -> RunReport:
    """Mirror what the archive newly took in, in this process.

    Returns:
        The report; also kept in the ledger, and in the bucket when something was done or is wrong.

    Raises:
        MirrorError: Nothing could be begun: the token is rejected, the bucket is missing or closed, the ledger
            is out of reach. What goes wrong with one device or file is in the report instead.
    """
    with begun_run(mirror, request.flow) as run:
        delays = mirror.settings.retry_delays_s
        inquiry = begin_inquiry(run, request, lambda: with_retries(lambda: read_clock(mirror, run), delays))
        devices, watching = devices_of(mirror, inquiry), watcher or NoWatcher()
        watching.asked(len(devices))
        gathered = list_devices(mirror, inquiry, devices)
        # Imported now, as it brings pandas: `open_mirror` has it loaded while the archive answers.
        from onc_mirror import planning  # noqa: PLC0415 - see above
        from onc_mirror.run import plans  # noqa: PLC0415 - see above

        planned = plans.plan_run(mirror, inquiry, gathered)
        outcomes = transfer_files(mirror, run, plans.to_fetch(planned), watching)
        return finish_run(mirror, run, gathered, [*planning.outcomes(planned), *outcomes])
