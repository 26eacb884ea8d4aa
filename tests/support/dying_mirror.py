"""`onc-mirror` in a process that kills itself with SIGKILL right after an effect, given as the first argument.

python -m tests.support.dying_mirror S3Store.copy mirror --device TUMLIDAR001
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from onc_mirror.cli import main
from onc_mirror.ledger import Ledger
from onc_mirror.store.files import FileStore
from onc_mirror.store.s3 import S3Store

_KINDS = {kind.__name__: kind for kind in (FileStore, S3Store, Ledger)}


def die_after(effect: str) -> None:
    """Have the process die when the method `Class.name` has done its work."""
    kind_name, _, method_name = effect.partition(".")
    kind = _KINDS[kind_name]
    method = getattr(kind, method_name)

    def do_and_die(*arguments: Any, **named: Any) -> None:
        method(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(kind, method_name, do_and_die)


if __name__ == "__main__":
    die_after(sys.argv[1])
    sys.exit(main.run(sys.argv[2:]))
