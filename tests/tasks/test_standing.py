"""What an operator sees at a glance when a run is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from onc_mirror.ledger.summarising import FileRecord
from onc_mirror.ledger.vitals import DeviceVitals
from onc_mirror.model import Decision, Outcome, State
from onc_mirror.report.document import DeviceError
from tasks.standing import standing_rows
from tests.support.archive_files import archive_file
from tests.support.reports import build_report

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NO_FILES = dict.fromkeys(State, 0)


def vitals(code: str, *, is_doubted: bool = False, **files: int) -> DeviceVitals:
    return DeviceVitals(
        device_code=code,
        watermark=NOON,
        is_doubted=is_doubted,
        files=NO_FILES | {State(name): number for name, number in files.items()},
        oldest_held_since=None,
        newest_data_at=NOON - timedelta(hours=5) if files else None,
        archive_lag=timedelta(hours=3) if files else None,
    )


def waiting(code: str, reason: str, state: State = State.HELD) -> FileRecord:
    return FileRecord("a.hdf5", code, state, reason, "", NOON, 1, None, None)


def test_each_device_tells_what_came_what_waits_and_how_late_it_is() -> None:
    report = build_report(
        run_id="r",
        flow="mirror-hour",
        window=(None, NOON),
        devices=["B", "C"],
        outcomes=[Outcome(archive_file(0, "B"), Decision.MIRRORED, size_bytes=2_000_000)],
        errors=[DeviceError("C", "archive-busy", "Later.")],
        seconds=1,
    )
    devices = [vitals("A", is_doubted=True), vitals("B", mirrored=9, held=3)]
    files = [waiting("B", "stalled"), waiting("B", "not-ready"), waiting("B", "stalled")]

    rows = standing_rows(report, devices, files, NOON)

    assert [(row["device"], row["came"], row["trouble"]) for row in rows] == [
        ("B", "1 (2.0 MB)", ""),
        ("C", "nothing new", "archive-busy"),
        ("A", "not asked", "listing not believed"),
    ]
    assert (rows[0]["held"], rows[0]["why"]) == (3, "2 stalled, 1 not-ready")
    assert (rows[0]["their age"], rows[0]["archived after"]) == ("5 h", "3 h")
    assert rows[0]["newest data"] == "2026-11-22T07:00:00Z"
    assert rows[2]["newest data"] == rows[2]["archived after"] == ""
