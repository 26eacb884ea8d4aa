"""Run one command so that it never outlives who asked for it.

    python -m infra.sandbox.guard PARENT_PID COMMAND...

The guard ends the command and everything the command started, however deep, when it gets SIGTERM, SIGINT or
SIGHUP, or when the process with PARENT_PID is no longer its parent, as after a kill -9 there. First politely, to
the command alone; after a grace period by force, to all that is left. Its exit code is the command's.

On Linux, grandchildren whose own parent has died stay within reach, because the guard adopts them; elsewhere only
those still connected are found.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from types import FrameType

GRACE_S = 5.0
POLL_S = 0.1

# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Guard:
    """Knows whether the command has to end."""

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._told = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._told = True

    @property
    def must_end(self) -> bool:
        """Whether somebody said so, or the parent is gone."""
        return self._told or os.getppid() != self._parent


def main(arguments: list[str]) -> int:
    """Run the command to its end or ours, and return its exit code (128 + signal when a signal ended it)."""
    guard = Guard(int(arguments[0]))
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # preexec_fn is safe: the guard has a single thread.
    command = subprocess.Popen(arguments[1:], start_new_session=True, preexec_fn=_before_exec)  # noqa: PLW1509 - see above
    while command.poll() is None and not guard.must_end:
        time.sleep(POLL_S)
    code = _end(command)
    _kill_descendants()
    return code if code >= 0 else 128 - code


def _end(command: subprocess.Popen[bytes]) -> int:
    if command.poll() is None:
        command.terminate()
    try:
        return command.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        command.kill()
        return command.wait()


def _before_exec() -> None:
    # An ignored SIGINT is inherited; Prefect's worker stops by a SIGINT that it sends to itself.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _kill_descendants() -> None:
    while left := psutil.Process().children(recursive=True):
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(left, timeout=1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
