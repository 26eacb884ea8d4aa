"""One of Swift's servers, in a process that does not outlive who started it.

python -m infra.sandbox.swift.serving KIND STATE PARENT_PID
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(kind: str, state: Path, parent: int) -> int:
    """Serve until the process is ended.

    Args:
        kind: `proxy`, `object`, `container` or `account`.
        state: Folder of data and configuration.
        parent: Process whose end is the end of this one.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        return 0
    # Swift reads its salt and storage policies when it is imported, from a file in /etc unless told otherwise here.
    import swift.common.utils  # noqa: PLC0415 - see above

    swift.common.utils.SWIFT_CONF_FILE = str(state / "etc" / "swift.conf")
    from swift.common import constraints, storage_policy  # noqa: PLC0415 - see above
    from swift.common.wsgi import run_wsgi  # noqa: PLC0415 - see above

    constraints.reload_constraints()
    storage_policy.reload_storage_policies()
    more = {}
    if kind == "object":
        from swift.obj.server import global_conf_callback  # noqa: PLC0415 - see above

        more["global_conf_callback"] = global_conf_callback
    return int(run_wsgi(str(state / "etc" / f"{kind}.conf"), f"{kind}-server", verbose=True, **more))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
