"""Every fault of the archive, injected while an hour of one device is mirrored."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.faults import Kind

if TYPE_CHECKING:
    from tests.support.mirrors import Bench

DEVICE = "TUMSTANDARDMODULE001"
OTHER = "TUMSTANDARDMODULE004"
VICTIM = "TUMSTANDARDMODULE001_20220502T110000.000Z-SDAQ-MODULE.hdf5"

CURED = [  # strikes once; the retry gets the file
    (Kind.CONNECT_TIMEOUT, {"seconds": 0.2}),
    (Kind.STALL, {}),
    (Kind.STALL, {"after_bytes": 0}),
    (Kind.RESET, {}),
    (Kind.CUT, {}),
    (Kind.CHUNKED_CUT, {}),
    (Kind.SHORT, {}),
    (Kind.NO_CONTENT_LENGTH, {}),
    (Kind.TOO_MANY_REQUESTS, {"seconds": 0.1}),
    (Kind.SERVER_ERROR, {}),
    (Kind.UNAVAILABLE, {"seconds": 0.1}),
    (Kind.STATUS, {"status": 502}),
    (Kind.HTML, {}),
    (Kind.JSON, {}),
    (Kind.GZIP, {}),
    (Kind.ZERO_LENGTH, {}),
    (Kind.NOT_READY, {}),
]
LASTING = [  # strikes every time: decision, reason, exit code
    (Kind.STALL, {}, "failed", "stalled", 1),
    (Kind.RESET, {}, "failed", "truncated-body", 1),
    (Kind.CUT, {}, "failed", "truncated-body", 1),
    (Kind.CHUNKED_CUT, {}, "failed", "connection-lost", 1),
    (Kind.SHORT, {}, "failed", "wrong-size", 1),
    (Kind.ZERO_LENGTH, {}, "failed", "wrong-size", 1),
    (Kind.INJECTED_TEXT, {}, "failed", "wrong-size", 1),
    (Kind.TOO_MANY_REQUESTS, {"seconds": 0.1}, "failed", "archive-busy", 1),
    (Kind.SERVER_ERROR, {}, "failed", "archive-busy", 1),
    (Kind.UNAVAILABLE, {}, "failed", "archive-busy", 1),
    (Kind.HTML, {}, "failed", "wrong-body", 1),
    (Kind.JSON, {}, "failed", "wrong-body", 1),
    (Kind.GZIP, {}, "failed", "wrong-body", 1),
    (Kind.STATUS, {"status": 403}, "failed", "request-rejected", 1),
    (Kind.NOT_READY, {}, "held", "not-ready", 3),
    (Kind.STILL_OPEN_WRITE, {}, "held", "still-open", 3),
    (Kind.STILL_OPEN_SWMR, {}, "held", "still-open-swmr", 3),
    (Kind.BIT_FLIP, {}, "quarantined", "undecodable-chunk", 3),
    (Kind.ZERO_TAIL, {}, "quarantined", "broken-structure", 3),
    (Kind.INJECTED_TEXT, {"keep_size": True}, "quarantined", "broken-structure", 3),
    (Kind.GONE_BETWEEN, {}, "gone", "vanished", 0),
]


def ids(cases: list[Any]) -> list[str]:
    return ["-".join([case[0], *(f"{key}={value}" for key, value in case[1].items())]) for case in cases]


@pytest.mark.parametrize(("kind", "fields"), CURED, ids=ids(CURED))
def test_a_fault_that_passes_is_retried_and_leaves_no_trace(
    mirror: Bench, kind: Kind, fields: dict[str, Any]
) -> None:
    mirror.archive.fault(kind, filename=VICTIM, endpoint="download", count=1, **fields)

    report = mirror.run(devices=(DEVICE,))

    assert report.mirrored == 2
    assert report.exit_code == 0
    assert not mirror.archive.faults.all(), "the fault never struck"
    mirror.assert_promises_hold(report)


@pytest.mark.parametrize(("kind", "fields", "decision", "reason", "exit_code"), LASTING, ids=ids(LASTING))
def test_a_fault_that_stays_costs_its_file_only_until_it_has_passed(  # noqa: PLR0913, PLR0917 - the columns of a table
    mirror: Bench, kind: Kind, fields: dict[str, Any], decision: str, reason: str, exit_code: int
) -> None:
    mirror.archive.fault(kind, filename=VICTIM, endpoint=None if kind is Kind.GONE_BETWEEN else "download", **fields)

    report = mirror.run(devices=(DEVICE,))

    (bad,) = report.attention
    assert (bad.decision, bad.reason) == (decision, reason)
    assert bad.filename == VICTIM
    assert bad.detail
    assert report.mirrored == 1
    assert report.exit_code == exit_code
    state, known = mirror.ledger_states(DEVICE)[bad.filename]
    assert (state, known) == ("held" if decision == "failed" else decision, bad.reason)
    assert not any(bad.filename in key for key in mirror.objects("raw/"))
    assert any(bad.filename in key for key in mirror.objects("quarantine/")) == (decision == "quarantined")
    mirror.assert_promises_hold(report)

    if decision in {"failed", "held"}:
        assert_taken_up_by_the_next_run(mirror)


def assert_taken_up_by_the_next_run(mirror: Bench) -> None:
    mirror.archive.faults.clear()
    mirror.settings = mirror.settings.model_copy(update={"overlap": timedelta(0)})
    mirror.turn(mirror.now + timedelta(minutes=40))

    report = mirror.run(devices=(DEVICE,))

    assert any(VICTIM in key for key in mirror.objects("raw/"))
    assert report.exit_code == 0
    mirror.assert_promises_hold(report)


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        (Kind.SERVER_ERROR, {}, "archive-busy"),
        (Kind.STALL, {}, "stalled"),
        (Kind.RESET, {}, "truncated-body"),
        (Kind.HTML, {}, "garbled-answer"),
        (Kind.GARBLED_JSON, {}, "garbled-answer"),
        (Kind.TOO_MANY_REQUESTS, {"seconds": 0.1}, "archive-busy"),
        (Kind.STATUS, {"status": 403}, "request-rejected"),
    ],
)
def test_a_device_that_cannot_be_listed_fails_the_run_and_stops_nobody(
    mirror: Bench, kind: Kind, fields: dict[str, Any], reason: str
) -> None:
    mirror.archive.fault(kind, device=DEVICE, endpoint="device", **fields)

    report = mirror.run(devices=(DEVICE, OTHER))

    (error,) = report.errors
    assert (error.device, error.reason) == (DEVICE, reason)
    assert report.mirrored == 2
    assert report.exit_code == 1
    with mirror.open() as parts:
        assert parts.ledger.watermark(DEVICE) == mirror.now - timedelta(hours=1)  # where its first window began
        assert parts.ledger.watermark(OTHER) == mirror.now
    mirror.assert_promises_hold(report)


def test_an_archive_that_takes_no_connection_fails_the_run_and_nothing_else(lone_mirror: Bench) -> None:
    mirror = lone_mirror
    mirror.archive.fault(Kind.CONNECT_TIMEOUT, filename=VICTIM, endpoint="download", seconds=60)

    report = mirror.run(devices=(DEVICE,))

    assert report.exit_code == 1
    assert report.failed
    assert {file.reason for file in report.attention} <= {"connect-timeout", "connection-lost"}
    mirror.assert_promises_hold(report)


def test_a_file_that_vanished_since_it_was_mirrored_keeps_its_object(mirror: Bench) -> None:
    mirror.run(devices=(DEVICE,))
    before = mirror.objects("raw/")
    mirror.archive.fault(Kind.VANISHED, filename=VICTIM)

    report = mirror.run(devices=(DEVICE,))

    assert any(VICTIM in key for key in before)
    assert mirror.objects("raw/") == before
    assert report.exit_code == 0


def test_duplicate_rows_are_one_file(mirror: Bench) -> None:
    mirror.archive.fault(Kind.DUPLICATE_ROWS, device=DEVICE)

    report = mirror.run(devices=(DEVICE,))

    assert report.listed == 4
    assert report.mirrored == 2
    mirror.assert_promises_hold(report)


def test_hostile_rows_are_named_and_touch_nothing(mirror: Bench) -> None:
    mirror.archive.fault(Kind.EXTRA_ROWS, device=DEVICE)

    report = mirror.run(devices=(DEVICE,))

    assert report.mirrored == 2
    assert {file.reason for file in report.attention} >= {"bad-name", "wrong-device"}
    assert all(key.startswith((f"raw/{DEVICE}/", "reports/")) for key in mirror.objects())
    assert len(mirror.objects("raw/")) == 2


def test_a_file_that_is_archived_again_replaces_its_copy_and_the_old_one_is_kept(mirror: Bench) -> None:
    first = mirror.run(devices=(DEVICE,))
    (key,) = [key for key in mirror.objects("raw/") if VICTIM in key]
    old = mirror.objects()[key]
    mirror.archive.fault(Kind.RE_ARCHIVED, filename=VICTIM, at=mirror.now + timedelta(minutes=1))
    mirror.turn(mirror.now + timedelta(minutes=5))

    second = mirror.run(devices=(DEVICE,))

    assert first.mirrored == 2
    assert second.mirrored == 1
    assert mirror.objects()[key] != old
    assert list(mirror.objects("superseded/").values()) == [old]
    mirror.assert_promises_hold(second)


def test_a_second_run_right_after_asks_for_no_file_and_writes_no_object(mirror: Bench) -> None:
    mirror.run(devices=(DEVICE,))
    before = mirror.objects()
    mirror.archive.forget_requests()

    report = mirror.run(devices=(DEVICE,))

    assert len(before) == 3
    assert mirror.objects() == before
    assert not mirror.archive.requests_for("download")
    assert report.already
    assert (report.mirrored, report.exit_code) == (0, 0)


def test_a_bucket_that_holds_the_files_already_is_believed_and_not_filled_again(mirror: Bench) -> None:
    mirror.run(devices=(DEVICE,))
    for path in mirror.settings.state_dir.glob("ledger.db*"):
        path.unlink()
    mirror.archive.forget_requests()

    report = mirror.run(devices=(DEVICE,))

    assert report.already == 2
    assert not mirror.archive.requests_for("download")
    assert {state for state, _ in mirror.ledger_states(DEVICE).values()} == {"mirrored", "filtered"}
