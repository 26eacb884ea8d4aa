"""Several runs at once, on one ledger: none does another's work, and none waits for ever for a dead one."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from infra.sandbox.archive.faults import Kind
from onc_mirror.model import Decision, TimeWindow
from tests.support.mirrors import DEVICE, NOON
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.mirrors import Bench


def test_runs_at_once_transfer_each_file_once(mirror: Bench) -> None:
    mirror.archive.fault(Kind.LATENCY, endpoint="download", seconds=0.2)

    mirror.archive.forget_requests()
    with ThreadPoolExecutor(3) as pool:
        reports = [future.result() for future in [pool.submit(mirror.run, devices=(DEVICE,)) for _ in range(3)]]

    assert sum(report.mirrored for report in reports) == 10
    assert len(mirror.archive.requests_for("download")) == 10
    for report in reports:
        held = [file for file in report.files if file.decision is Decision.HELD]
        assert {file.reason for file in held} <= {"claimed-elsewhere"}
        assert report.mirrored + report.already + len(held) == report.listed - sum(report.filtered.values())
    after = mirror.run(devices=(DEVICE,))
    assert (after.mirrored, after.held) == (0, 0)
    mirror.assert_promises_hold(after)


def test_the_files_of_a_dead_run_are_taken_over_after_its_lease(mirror: Bench) -> None:
    mirror.settings = mirror.settings.model_copy(update={"lease": timedelta(minutes=5)})
    with mirror.open() as parts:
        parts.ledger.start_run("dead", "mirror-hour", mirror.now)
        window = TimeWindow(mirror.now - timedelta(hours=2), mirror.now)
        listing = parts.archive.list_files(DEVICE, archived=window)
        parts.ledger.record_listed(listing.files, run_id="dead", now=mirror.now)
        claim = [(file, 0) for file in listing.files]
        parts.ledger.leases.claim(claim, owner="dead", until=mirror.now + timedelta(minutes=5), now=mirror.now)

    assert mirror.run(devices=(DEVICE,)).held == 10
    mirror.turn(mirror.now + timedelta(minutes=5))
    report = mirror.run(devices=(DEVICE,))

    assert report.held == 0
    assert report.mirrored >= 10
    mirror.assert_promises_hold(report)


def test_a_run_that_was_killed_on_this_machine_is_taken_over_at_once(mirror: Bench, tmp_path: Path) -> None:
    mirror.archive.fault(Kind.LATENCY, endpoint="download", seconds=0.5)
    mirror.settings = mirror.settings.model_copy(update={"lease": timedelta(hours=1)})
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ONC_", "AWS_"))} | {
        "ONC_TOKEN": mirror.archive.token,
        "ONC_MIRROR_ARCHIVE_URL": str(mirror.settings.archive_url),
        "ONC_MIRROR_STORE_URL": mirror.settings.store_url,
        "ONC_MIRROR_STATE_DIR": str(mirror.settings.state_dir),
        "ONC_MIRROR_LEDGER_URL": mirror.settings.ledger,
        "ONC_MIRROR_LEASE": "PT1H",
        "ONC_MIRROR_CONCURRENCY": "1",
    }
    window = ["--since", "2022-05-02T10:30Z", "--until", "2022-05-02T12:30Z"]
    command = [sys.executable, "-m", "onc_mirror.cli.main", "mirror", "-d", DEVICE, *window]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as killed:
        wait_until(lambda: len(list((tmp_path / "bucket").rglob("raw/**/*.hdf5"))) >= 2, timeout_s=60)
        killed.kill()
    mirror.archive.faults.clear()
    mirror.now = datetime.now(UTC)  # the killed one had no other clock

    report = mirror.run(devices=(DEVICE,), since=NOON - timedelta(hours=2), until=NOON)

    assert (report.held, report.exit_code) == (0, 0)
    assert report.mirrored + report.already == 10
    mirror.assert_promises_hold(report)
