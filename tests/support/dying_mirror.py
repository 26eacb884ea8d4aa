"""`onc-mirror` in a process that kills itself with SIGKILL right after it has had an effect for the first time.

python -m tests.support.dying_mirror store.copy mirror --device TUMLIDAR001
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from onc_mirror.cli import main
from tests.support.effects import Boundary, Tripwire, watch
from tests.support.killing import KILLED

if TYPE_CHECKING:
    from tests.support.mirrors import Bench

_ROOT = Path(__file__).parents[2]


def run_and_die(mirror: Bench, effect: str, *arguments: str) -> None:
    """Run a command on a mirror until it has had this effect, one that `effects.watch` names, which kills it."""
    settings = mirror.settings
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONC_")} | {
        "ONC_TOKEN": mirror.archive.token,
        "ONC_MIRROR_ARCHIVE_URL": str(settings.archive_url),
        "ONC_MIRROR_STORE_URL": settings.store_url,
        "ONC_MIRROR_STATE_DIR": str(settings.state_dir),
    }
    command = [sys.executable, "-m", "tests.support.dying_mirror", effect, *arguments]
    done = subprocess.run(
        command, env=environment, cwd=_ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == KILLED, done.stdout + done.stderr


if __name__ == "__main__":
    watch(Tripwire(Boundary("after", sys.argv[1], 1), None), {})
    sys.exit(main.run(sys.argv[2:]))
