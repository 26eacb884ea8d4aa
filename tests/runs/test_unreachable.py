"""An archive that takes no connection: asked again, patiently, but once and not for every device."""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror import retrying
from onc_mirror.report.words import closing_sentence
from tests.support.archive import running_archive
from tests.support.mirrors import NOON, bench
from tests.support.raw_server import unused_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.archive import RunningArchive
    from tests.support.mirrors import Bench

DEVICES = ("TUMLIDAR001", "TUMPMTSPECTROMETER001", "TUMSTANDARDMODULE001")


@pytest.fixture
def cut_off(archive: RunningArchive, tmp_path: Path) -> Bench:
    """A mirror whose archive is not where it looks for it."""
    return bench(archive, tmp_path, archive_url=unused_url())


@contextmanager
def at_the_first_wait(do: Callable[[], object]) -> Iterator[list[retrying.Retry]]:
    """Give the waits that are told in the block; `do` something when the first one is."""
    told: list[retrying.Retry] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(vars(record)["retry"])
            if len(told) == 1:
                do()

    listener = Listener()
    retrying.logger.addHandler(listener)
    try:
        yield told
    finally:
        retrying.logger.removeHandler(listener)


def nothing() -> None:
    """Do nothing."""


def test_the_ladder_is_walked_once_for_the_whole_run(cut_off: Bench) -> None:
    with at_the_first_wait(nothing) as told:
        report = cut_off.run(devices=DEVICES)

    assert [(retry.attempt, retry.attempts) for retry in told] == [(2, 3), (3, 3)]
    assert [(error.device, error.reason) for error in report.errors] == [
        (code, "connection-refused") for code in DEVICES
    ]
    assert len({error.detail for error in report.errors}) == 1
    assert (report.devices, report.listed, report.exit_code) == (DEVICES, 0, 1)


def test_without_an_archive_the_table_says_which_devices_are_concerned(cut_off: Bench) -> None:
    report = cut_off.run()

    assert set(DEVICES) < set(report.devices)
    assert len(report.errors) == len(report.devices)


def test_what_is_archived_while_the_first_runs_find_no_archive_is_not_passed(
    cut_off: Bench, archive: RunningArchive, tmp_path: Path
) -> None:
    cut_off.run(devices=DEVICES)
    with cut_off.open() as parts:
        watermarks = {parts.ledger.watermark(code) for code in DEVICES}
    later = bench(archive, tmp_path)
    later.turn(NOON + timedelta(hours=6))

    report = later.run(devices=("TUMPMTSPECTROMETER001",))

    assert watermarks == {NOON - timedelta(hours=1)}
    assert any("T110000.000Z-SDAQ-PMTSPEC" in key for key in later.objects("raw/"))
    later.assert_promises_hold(report)


def test_what_was_never_listed_has_no_watermark_to_show_and_no_time_it_is_archived_up_to(cut_off: Bench) -> None:
    report = cut_off.run(devices=DEVICES)

    with cut_off.open() as parts:
        shown = {device.device_code: device.watermark for device in parts.ledger.summary()}
    assert shown == dict.fromkeys(DEVICES)
    assert "archived" not in closing_sentence(report)


def test_a_device_that_the_archive_does_not_know_leaves_nothing_in_the_ledger(lone_mirror: Bench) -> None:
    report = lone_mirror.run(devices=("NOSUCH",))

    assert [error.reason for error in report.errors] == ["unknown-device"]
    assert "archived" not in closing_sentence(report)
    with lone_mirror.open() as parts:
        assert parts.ledger.watermark("NOSUCH") is None
        assert parts.ledger.summary() == ()


def test_an_archive_that_comes_back_while_the_run_waits_is_mirrored(tmp_path: Path) -> None:
    url = unused_url()
    port = int(url.rstrip("/").rpartition(":")[2])
    with running_archive(tmp_path / "archive-state") as model, ExitStack() as stack:
        mirror = bench(model, tmp_path, archive_url=url)

        def come_back() -> None:
            stack.enter_context(running_archive(tmp_path / "archive-state", port=port)).set_clock(NOON)

        with at_the_first_wait(come_back) as told:
            report = mirror.run(devices=DEVICES)

    assert [retry.attempt for retry in told if retry.concerns_all] == [2]
    assert (report.errors, report.exit_code) == ((), 0)
    assert report.mirrored


def test_a_short_outage_while_devices_are_listed_is_waited_out_for_each(lone_mirror: Bench) -> None:
    lone_mirror.archive.fault(Kind.CONNECT_TIMEOUT, endpoint="device", seconds=0.2, count=1)

    report = lone_mirror.run(devices=DEVICES)

    assert not lone_mirror.archive.faults.all(), "the outage never came"
    assert (report.errors, report.exit_code) == ((), 0)
    lone_mirror.assert_promises_hold(report)
