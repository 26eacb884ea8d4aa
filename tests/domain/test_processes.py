"""Whether another process has ended, told by its name."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from onc_mirror.run.processes import has_ended, this_process

SAY_NAME = "from onc_mirror.run.processes import this_process; print(this_process(), flush=True); input()"


def test_this_process_has_a_name_and_has_not_ended() -> None:
    name = this_process()

    assert name is not None
    assert f"/{os.getpid()}/" in name
    assert not has_ended(name)


def test_a_killed_process_has_ended_before_and_after_its_parent_knows() -> None:
    command = [sys.executable, "-c", SAY_NAME]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        name = child.stdout.readline().strip()
        assert name != this_process()
        assert not has_ended(name)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert has_ended(name), "a zombie"
    assert has_ended(name)


def test_a_number_that_was_given_away_again_is_another_process() -> None:
    name = this_process()
    assert name is not None

    assert has_ended(f"{name}1")


@pytest.mark.parametrize("name", ["", "/", "other-boot/pid:[1]/1/1", "a/b/c/d/e", "none"])
def test_of_a_process_of_another_world_nothing_is_known(name: str) -> None:
    assert not has_ended(name)
