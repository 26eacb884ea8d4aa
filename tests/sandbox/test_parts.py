"""Parts: one that dies is noticed, and shown with the end of its log."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.parts import Command, PartError, Parts
from infra.sandbox.ports import HOST, pick_free

if TYPE_CHECKING:
    from pathlib import Path


def test_part_that_dies_at_start_is_shown_with_the_end_of_its_log(tmp_path: Path) -> None:
    nobody = f"http://{HOST}:{pick_free()}"
    broken = Command("broken part", "json.tool", ("/no/such/file",), nobody)

    with Parts(os.environ, tmp_path, say=lambda _: None) as parts, pytest.raises(PartError) as failure:
        parts.wait_until_healthy(parts.start(broken), timeout_s=30)

    assert "The broken part ended with exit code 2." in str(failure.value)
    assert "No such file or directory" in str(failure.value)
    assert str(tmp_path / "broken-part.log") in str(failure.value)


def test_part_that_never_answers_is_given_up(tmp_path: Path) -> None:
    silent = Command("silent part", "http.server", ("--bind", HOST, str(pick_free())), f"http://{HOST}:{pick_free()}")

    with Parts(os.environ, tmp_path, say=lambda _: None) as parts, pytest.raises(PartError, match="does not answer"):
        parts.wait_until_healthy(parts.start(silent), timeout_s=0.5)


def test_running_and_ending_parts_are_told_apart(tmp_path: Path) -> None:
    port = pick_free()
    server = Command("server", "http.server", ("--bind", HOST, str(port)), f"http://{HOST}:{port}")

    with Parts(os.environ, tmp_path, say=lambda _: None) as parts:
        parts.wait_until_healthy(parts.start(server), timeout_s=30)
        parts.run(Command("errand", "this", ()), timeout_s=30)

        parts.check_alive()
        with pytest.raises(PartError, match="The second errand failed with exit code 2"):
            parts.run(Command("second errand", "json.tool", ("/no/such/file",)), timeout_s=30)
