"""The guard: whoever asked for a command, however they end, nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]

# A command with a child in a session of its own, as Prefect's worker starts flow runs; both deaf to SIGTERM.
FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
time.sleep(600)
"""

GUARD = [sys.executable, "-m", "infra.sandbox.guard"]


def test_exit_code_is_that_of_the_command() -> None:
    guard = subprocess.run(
        [*GUARD, str(os.getpid()), sys.executable, "-c", "raise SystemExit(7)"], cwd=ROOT, check=False
    )

    assert guard.returncode == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=["TERM", "INT", "HUP"])
def test_signal_ends_the_command_at_once(number: signal.Signals) -> None:
    sleeper = "print('up', flush=True); import time; time.sleep(600)"
    command = [*GUARD, str(os.getpid()), sys.executable, "-c", sleeper]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as guard:
        assert guard.stdout is not None
        assert guard.stdout.readline() == b"up\n"
        family = psutil.Process(guard.pid).children(recursive=True)

        guard.send_signal(number)

        assert guard.wait(4) == 128 + signal.SIGTERM
    assert_gone(family, expected=1)


def test_deaf_family_is_killed_after_the_grace_period() -> None:
    command = [*GUARD, str(os.getpid()), sys.executable, "-c", FAMILY]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as guard:
        assert guard.stdout is not None
        assert guard.stdout.readline() == b"up\n"
        family = psutil.Process(guard.pid).children(recursive=True)

        guard.terminate()

        assert guard.wait(15) == 128 + signal.SIGKILL
    assert_gone(family, expected=2)


def test_kill_9_of_the_parent_leaves_nothing() -> None:
    parent_code = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([*{GUARD!r}, str(os.getpid()), sys.executable, '-c', {FAMILY!r}])\n"
        "time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", parent_code], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        family = psutil.Process(parent.pid).children(recursive=True)

        parent.kill()

    assert_gone(family, expected=3)


def assert_gone(family: list[psutil.Process], *, expected: int) -> None:
    assert len(family) == expected
    end = time.monotonic() + 15
    while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family):
        assert time.monotonic() < end, family
        time.sleep(0.05)
