"""What could make a run pass a file without anybody noticing, tried on whole runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from infra.sandbox.archive.sea import Span
from infra.sandbox.archive.times import to_ms
from onc_mirror.errors import UnknownDeviceError
from onc_mirror.selection import Selection
from tests.support.mirrors import DEVICE, VICTIM, bench
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.archive import RunningArchive
    from tests.support.mirrors import Bench


@pytest.fixture
def everywhere(archive: RunningArchive, tmp_path: Path, ledger_url: str) -> Bench:
    """A mirror with its ledger in each of the databases."""
    return bench(archive, tmp_path, ledger_url=ledger_url)


def mirrored_names(mirror: Bench) -> set[str]:
    return {key.rpartition("/")[2] for key in mirror.objects("raw/")}


def test_a_clock_that_runs_ahead_of_the_archive_loses_nothing(mirror: Bench) -> None:
    ahead = timedelta(minutes=100)
    start = mirror.now
    for half_hour in range(5):
        mirror.turn(start + half_hour * timedelta(minutes=30))
        mirror.now += ahead

        assert [error.reason for error in mirror.run(devices=(DEVICE,)).errors] == ["clock-apart"]

    archived_since = start - timedelta(hours=1)
    wanted = {
        row["filename"]
        for row in mirror.archive.rows(DEVICE, extension="hdf5", archived=Span(since=to_ms(archived_since)))
    }
    assert len(wanted) > 10
    assert wanted <= mirrored_names(mirror)


def test_a_window_into_the_future_leaves_no_watermark_there(everywhere: Bench) -> None:
    everywhere.run(devices=(DEVICE,), until=everywhere.now + timedelta(days=30))

    with everywhere.open() as parts:
        assert parts.ledger.watermark(DEVICE) == everywhere.now


def test_a_narrowed_run_does_not_give_up_a_held_file(mirror: Bench) -> None:
    mirror.settings = mirror.settings.model_copy(update={"overlap": timedelta(0)})
    mirror.archive.fault(Kind.NOT_READY, filename=VICTIM)
    mirror.run(devices=(DEVICE,))
    mirror.run(devices=(DEVICE,), selection=Selection(name_pattern="*CAMERA*"))
    mirror.archive.faults.clear()
    mirror.turn(mirror.now + timedelta(hours=1))

    report = mirror.run(devices=(DEVICE,))

    assert VICTIM in mirrored_names(mirror)
    mirror.assert_promises_hold(report)


def test_an_archive_that_knows_no_deployed_device_is_not_taken_for_a_quiet_hour(mirror: Bench) -> None:
    mirror.archive.fault(Kind.STATUS, endpoint="deployments", status=404)
    mirror.archive.fault(Kind.STATUS, endpoint="device", status=404)

    try:
        report = mirror.run()
    except UnknownDeviceError as error:
        assert "ONC_MIRROR_ARCHIVE_URL" in str(error)  # noqa: PT017 - one of two right endings
    else:
        assert report.exit_code == 1


def test_a_store_that_dies_before_the_report_does_not_falsify_it(mirror: Bench) -> None:
    mirror.archive.fault(Kind.HTML, filename=VICTIM)
    (mirror.settings.state_dir.parent / "bucket" / "reports").write_text("in the way")

    report = mirror.run(devices=(DEVICE,))

    assert (report.mirrored, report.failed, report.exit_code) == (9, 1, 1)
    assert "The report is not in the bucket" in report.errors[0].detail
    with mirror.open() as parts:
        (last, *_) = parts.ledger.runs(1)
        text = parts.ledger.report(last.run_id)
    assert text == report.to_json()


@pytest.mark.parametrize("objects", [0, 8])
def test_a_run_killed_in_the_middle_is_finished_by_the_next(everywhere: Bench, tmp_path: Path, objects: int) -> None:
    everywhere.archive.fault(Kind.LATENCY, endpoint="download", seconds=0.3)
    settings = everywhere.settings
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ONC_", "AWS_"))} | {
        "ONC_TOKEN": everywhere.archive.token,
        "ONC_MIRROR_ARCHIVE_URL": str(settings.archive_url),
        "ONC_MIRROR_STORE_URL": settings.store_url,
        "ONC_MIRROR_STATE_DIR": str(settings.state_dir),
        "ONC_MIRROR_LEDGER_URL": settings.ledger,
        "ONC_MIRROR_CONCURRENCY": "2",
    }
    command = [sys.executable, "-m", "onc_mirror.cli.main", "mirror", "-d", DEVICE]
    window = ["--since", "2022-05-02T10:30Z", "--until", "2022-05-02T12:30Z"]
    with subprocess.Popen([*command, *window], env=environment, stderr=subprocess.DEVNULL) as killed:
        wait_until(lambda: len(list((tmp_path / "bucket").rglob("raw/**/*.hdf5"))) >= objects, timeout_s=60)
        killed.send_signal(signal.SIGKILL)
    everywhere.archive.faults.clear()

    report = everywhere.run(devices=(DEVICE,), since=everywhere.now - timedelta(hours=2))

    assert len(mirrored_names(everywhere)) == 10
    everywhere.assert_promises_hold(report)


def test_every_refused_run_stands_in_the_ledger(mirror: Bench) -> None:
    mirror.archive.fault(Kind.TOKEN_REVOKED)

    report = mirror.run(devices=(DEVICE,))

    assert [error.reason for error in report.errors] == ["token-rejected"]
    with mirror.open() as parts:
        assert parts.ledger.runs(1)[0].state == "failed"
