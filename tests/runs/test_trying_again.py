"""When a file that failed is tried again: what begins its ladder anew, and what does not keep it waiting."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.model import Decision
from tests.support.mirrors import DEVICE, VICTIM, on_ladder

if TYPE_CHECKING:
    from onc_mirror.report.document import ReportedFile, RunReport
    from tests.support.mirrors import Bench

LADDER = (timedelta(minutes=30), timedelta(hours=6))


@pytest.fixture
def mirror(lone_mirror: Bench) -> Bench:
    return on_ladder(lone_mirror, LADDER)


def of_victim(report: RunReport) -> ReportedFile:
    (file,) = (file for file in report.files if file.filename == VICTIM)
    return file


def fail_twice(mirror: Bench) -> None:
    """Leave the file on the last step of its ladder, due in six hours."""
    number = mirror.archive.fault(Kind.SHORT, filename=VICTIM, endpoint="download")
    for minutes in (0, 60):
        mirror.turn(mirror.now + timedelta(minutes=minutes))
        assert of_victim(mirror.run(devices=(DEVICE,))).decision is Decision.FAILED
    mirror.archive.faults.remove(number)
    mirror.turn(mirror.now + timedelta(minutes=30))


def test_a_re_archived_file_does_not_wait_for_the_next_try_of_the_old_one(mirror: Bench) -> None:
    fail_twice(mirror)
    assert of_victim(mirror.run(devices=(DEVICE,))).decision is Decision.HELD

    mirror.archive.fault(Kind.RE_ARCHIVED, filename=VICTIM, at=mirror.now)
    mirror.turn(mirror.now + timedelta(minutes=30))
    report = mirror.run(devices=(DEVICE,))

    assert of_victim(report).decision is Decision.MIRRORED
    mirror.assert_promises_hold(report)


def test_a_re_archived_file_begins_its_ladder_anew(mirror: Bench) -> None:
    fail_twice(mirror)
    mirror.archive.fault(Kind.RE_ARCHIVED, filename=VICTIM, at=mirror.now)
    mirror.archive.fault(Kind.CUT, filename=VICTIM, endpoint="download", count=1)
    mirror.turn(mirror.now + timedelta(hours=7))
    assert of_victim(mirror.run(devices=(DEVICE,))).decision is Decision.FAILED

    mirror.turn(mirror.now + LADDER[0])

    assert of_victim(mirror.run(devices=(DEVICE,))).decision is Decision.MIRRORED


def test_a_file_whose_row_stays_is_not_tried_before_its_time_and_is_given_up(mirror: Bench) -> None:
    fail_twice(mirror)
    mirror.archive.fault(Kind.SHORT, filename=VICTIM, endpoint="download")
    decisions = []
    for hours in (0, 5, 1):
        mirror.turn(mirror.now + timedelta(hours=hours))
        report = mirror.run(devices=(DEVICE,))
        decisions.append(mirror.ledger_states(DEVICE)[VICTIM][0])

    assert decisions == ["held", "held", "quarantined"]
    assert report.taken_up == 1  # by the last run, whose window it is not in


def test_a_clock_that_was_a_year_ahead_for_one_run_keeps_no_file_waiting(mirror: Bench) -> None:
    mirror.archive.fault(Kind.SHORT, filename=VICTIM, endpoint="download", count=1)
    now = mirror.now
    mirror.now = now + timedelta(days=400)
    failed = mirror.run(devices=(DEVICE,), since=now - timedelta(hours=2))
    assert of_victim(failed).decision is Decision.FAILED

    mirror.turn(now + timedelta(minutes=5))

    assert of_victim(mirror.run(devices=(DEVICE,))).decision is Decision.MIRRORED


def test_a_file_without_an_end_climbs_its_ladder_and_is_given_up(mirror: Bench) -> None:
    mirror.settings = mirror.settings.model_copy(update={"scratch_budget": 2**14, "retry_delays_s": (0.01, 0.01)})
    mirror.archive.fault(Kind.CHANGED_ROWS, filename=VICTIM, changes={"fileSize": None, "uncompressedFileSize": None})
    for _ in range(8):
        mirror.run(devices=(DEVICE,))
        mirror.turn(mirror.now + timedelta(hours=3))

    assert mirror.ledger_states(DEVICE)[VICTIM] == ("quarantined", "too-large")
    assert len(mirror.archive.requests_for("download", filename=VICTIM)) == len(LADDER) + 1
