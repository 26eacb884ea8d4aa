"""What a run says of itself where there is no terminal."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from onc_mirror.cli import life_signs as life_signs_module
from onc_mirror.cli.life_signs import EVERY_S, life_signs, pause_s
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.console import Console

DEVICE = "TUMSTANDARDMODULE001"
WINDOW = ("--since", "2022-05-02T11:00", "--until", "PT1H")
DAY_S = 86_400.0


def test_a_run_without_a_terminal_says_on_stderr_what_it_does_and_where_to(console: Console) -> None:
    answer = console.run("mirror", "-d", DEVICE, *WINDOW)

    lines = [line.partition(" INFO onc_mirror.cli.life_signs ")[2] for line in answer.err.splitlines()]
    assert answer.code == 0
    assert lines == [f"begun=mirror store=file://{console.folder / 'bucket'}", "running=mirror devices=1"]
    assert "begun=" not in answer.out


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("backfill", ("-d", DEVICE, "--since", "2022-05-01", "--until", "2022-05-02", "--dry-run")),
        ("reconcile", ("-d", DEVICE, "--since", "2022-05-01", "--until", "2022-05-02", "--dry-run")),
        ("scrub", ("-d", DEVICE)),
        ("rebuild", ()),
    ],
)
def test_every_command_that_may_take_long_says_that_it_has_begun(
    quick_console: Console, caplog: pytest.LogCaptureFixture, command: str, options: tuple[str, ...]
) -> None:
    assert quick_console.run(command, *options).code == 0

    said = [record.getMessage() for record in caplog.records if record.name == life_signs_module.__name__]
    devices = [f"running={command} devices=1"] if command in {"backfill", "reconcile"} else []
    assert said == [f"begun={command} store=file://{quick_console.folder / 'bucket'}", *devices]


def test_how_far_a_run_is_is_said_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    with life_signs("backfill", "file:///bucket", is_wanted=True, every_s=0.01) as signs:
        wait_until(lambda: "progress='Nothing is planned yet.'" in caplog.text)
        signs.begun(4)
        signs.planned(2, 1000)
        signs.advanced(500)
        signs.ended()
        wait_until(lambda: caplog.text.count("progress='0 of 2 files, 1 of 4 days of devices, 500 B of about") > 1)

    assert "about 4.0 kB; about " in caplog.text


def test_nobody_is_told_who_asked_for_none(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "onc_mirror")

    with life_signs("mirror", "file:///bucket", is_wanted=False) as signs:
        signs.asked(10)

    assert caplog.text == ""


def test_a_run_of_days_says_little() -> None:
    elapsed, lines = EVERY_S, 0
    while elapsed < 10 * DAY_S:
        elapsed, lines = elapsed + pause_s(elapsed), lines + 1

    assert pause_s(300.0) == EVERY_S
    assert lines < 2000
