"""Clocks that are wrong, here, at the archive or in between: nothing is passed unseen, and somebody is told."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from onc_mirror.archive import OncArchive
from onc_mirror.errors import StalledError
from tests.support.mirrors import DEVICE, bench
from tests.support.raw_server import unused_url

if TYPE_CHECKING:
    from pathlib import Path

    from onc_mirror.report.document import RunReport
    from tests.support.mirrors import Bench

HOUR = timedelta(hours=1)


def troubles(report: RunReport) -> list[tuple[str, str]]:
    return [(error.device, error.reason) for error in report.errors]


def stalled(_: OncArchive) -> timedelta:
    raise StalledError("The archive sent nothing for the stall timeout.")


@pytest.mark.parametrize("ours_ahead", [25 * HOUR, 6 * HOUR, -6 * HOUR])
def test_clocks_that_are_apart_are_told_and_pass_nothing(mirror: Bench, ours_ahead: timedelta) -> None:
    true = mirror.now
    mirror.now = true + ours_ahead

    report = mirror.run(devices=(DEVICE,))

    assert troubles(report) == [("", "clock-apart")]
    assert report.exit_code == 1
    assert f"{-ours_ahead / timedelta(minutes=1):+.0f} min" in report.errors[0].detail
    mark = mirror.watermark(DEVICE)
    assert mark is not None
    assert mark <= min(true, mirror.now)
    assert report.listed, "the run goes on"


def test_clocks_that_are_a_little_apart_are_no_trouble(mirror: Bench) -> None:
    mirror.now += timedelta(minutes=4)

    report = mirror.run(devices=(DEVICE,))

    assert (report.exit_code, report.errors, report.mirrored) == (0, (), 10)


@pytest.mark.parametrize("runs_before", [0, 1])
def test_without_the_archives_time_no_watermark_moves(
    mirror: Bench, monkeypatch: pytest.MonkeyPatch, runs_before: int
) -> None:
    for _ in range(runs_before):
        mirror.run(devices=(DEVICE,))
    before = mirror.watermark(DEVICE)
    mirror.now += 25 * HOUR
    monkeypatch.setattr(OncArchive, "measure_clock", stalled)

    report = mirror.run(devices=(DEVICE,))

    assert troubles(report) == [("", "clock-unknown")]
    assert report.exit_code == 1
    assert mirror.watermark(DEVICE) == before


def test_a_watermark_in_the_archives_future_is_told_until_its_time_comes(mirror: Bench) -> None:
    with mirror.open() as parts:
        parts.ledger.advance_watermark(DEVICE, mirror.now + 2 * HOUR, mirror.now)

    report = mirror.run(devices=(DEVICE,))

    assert troubles(report) == [(DEVICE, "suspicious-listing")]
    assert "is later than the archive's time" in report.errors[0].detail
    assert (report.exit_code, report.mirrored) == (1, 10)
    mirror.turn(mirror.now + 3 * HOUR)
    assert mirror.run(devices=(DEVICE,)).exit_code == 0


def test_a_window_that_somebody_names_needs_no_clock(mirror: Bench) -> None:
    true = mirror.now
    mirror.now = true + 25 * HOUR

    report = mirror.run(devices=(DEVICE,), since=true - HOUR, until=true)

    assert (report.exit_code, report.errors) == (0, ())


@pytest.mark.parametrize("set_right", [True, False], ids=["clock-set-right", "clock-still-ahead"])
def test_a_clock_ahead_of_an_archive_out_of_reach_puts_no_first_window_into_the_future(
    mirror: Bench, tmp_path: Path, *, set_right: bool
) -> None:
    true = mirror.now
    cut_off = bench(mirror.archive, tmp_path, archive_url=unused_url())
    cut_off.now = true + 25 * HOUR
    assert cut_off.run(devices=(DEVICE,)).exit_code == 1
    assert cut_off.watermark(DEVICE) == true + 24 * HOUR  # nobody was there to say that it is wrong
    mirror.now = true if set_right else true + 25 * HOUR

    report = mirror.run(devices=(DEVICE,))

    assert report.mirrored == 10
    assert troubles(report) == ([] if set_right else [("", "clock-apart")])
    mark = mirror.watermark(DEVICE)
    assert mark is not None
    assert true - timedelta(minutes=1) < mark <= true
