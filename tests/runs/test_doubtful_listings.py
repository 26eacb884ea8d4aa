"""Listings that are not what they should be: empty, short, or without files that were there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.config import ArchiveConfig
from infra.sandbox.archive.faults import Kind
from tests.support.archive import running_archive
from tests.support.mirrors import DEVICE, NOON, Bench, bench

if TYPE_CHECKING:
    from pathlib import Path

HOUR = timedelta(hours=1)


def test_a_listing_that_is_suddenly_empty_is_no_success_and_the_next_good_one_lacks_nothing(
    lone_mirror: Bench,
) -> None:
    lone_mirror.run(devices=(DEVICE,))
    before = lone_mirror.watermark(DEVICE)
    lone_mirror.turn(lone_mirror.now + HOUR)
    lone_mirror.archive.fault(Kind.EMPTY_LISTING, device=DEVICE)

    doubtful = lone_mirror.run(devices=(DEVICE,))

    assert (doubtful.exit_code, doubtful.state) == (1, "failed")
    assert [(error.device, error.reason) for error in doubtful.errors] == [(DEVICE, "suspicious-listing")]
    assert lone_mirror.watermark(DEVICE) == before
    lone_mirror.archive.faults.clear()
    good = lone_mirror.run(devices=(DEVICE,))
    assert good.exit_code == 0
    assert lone_mirror.watermark(DEVICE) == lone_mirror.now
    lone_mirror.assert_promises_hold(good)


def test_a_file_that_vanished_is_gone_and_its_object_is_kept(lone_mirror: Bench) -> None:
    first = lone_mirror.run(devices=(DEVICE,))
    victim = first.files[0].filename
    objects = lone_mirror.objects("raw/")
    lone_mirror.turn(lone_mirror.now + timedelta(minutes=10))
    lone_mirror.archive.fault(Kind.VANISHED, filename=victim)

    second = lone_mirror.run(devices=(DEVICE,))

    assert [(file.filename, file.reason) for file in second.files if file.decision == "gone"] == [
        (victim, "not-listed")
    ]
    assert lone_mirror.ledger_states(DEVICE)[victim][0] == "gone"
    assert lone_mirror.objects("raw/").items() >= objects.items()
    lone_mirror.turn(lone_mirror.now + timedelta(minutes=1))
    assert lone_mirror.run(devices=(DEVICE,)).gone == 0


def test_a_held_file_that_vanished_has_one_end_in_the_report(lone_mirror: Bench) -> None:
    victim = lone_mirror.archive.rows(DEVICE, extension="hdf5")[-1]["filename"]
    lone_mirror.archive.fault(Kind.NOT_READY, filename=victim)
    assert lone_mirror.run(devices=(DEVICE,)).held == 1
    lone_mirror.turn(lone_mirror.now + timedelta(minutes=10))
    lone_mirror.archive.fault(Kind.VANISHED, filename=victim)

    report = lone_mirror.run(devices=(DEVICE,))

    assert [file.decision for file in report.files if file.filename == victim] == ["gone"]
    assert lone_mirror.ledger_states(DEVICE)[victim][0] == "gone"


@pytest.mark.parametrize(("ending", "exit_code"), [("ended", 0), ("silent", 1)])
def test_silence_is_an_alarm_unless_the_device_was_taken_out(tmp_path: Path, ending: str, exit_code: int) -> None:
    end = NOON
    config = ArchiveConfig(data_start=end - timedelta(days=6), **{ending: {DEVICE: end}})  # type: ignore[arg-type] # one field of two
    with running_archive(tmp_path / "archive-state", config) as archive:
        mirror = bench(archive, tmp_path, extensions=("none",))
        assert mirror.run(devices=(DEVICE,), since=end - timedelta(days=5)).exit_code == 0
        mirror.turn(end + 2 * HOUR)
        assert mirror.run(devices=(DEVICE,)).exit_code == 0
        mirror.turn(end + 6 * HOUR)

        report = mirror.run(devices=(DEVICE,))

    assert report.exit_code == exit_code
    assert report.listed == 0


def test_an_empty_listing_tells_how_to_enter_what_is_gone_for_good(lone_mirror: Bench) -> None:
    lone_mirror.run(devices=(DEVICE,))
    lone_mirror.turn(lone_mirror.now + timedelta(minutes=5))
    lone_mirror.archive.fault(Kind.EMPTY_LISTING, device=DEVICE)

    report = lone_mirror.run(devices=(DEVICE,))

    assert "`onc-mirror reconcile`" in report.errors[0].detail
