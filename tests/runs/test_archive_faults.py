"""Every fault of the archive, injected while some hours of one device are mirrored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.faults import Kind
from tests.support.mirrors import NOON, bench
from tests.support.promises import broken_promises, look_around

if TYPE_CHECKING:
    from collections.abc import Callable

    from onc_mirror.report.document import RunReport
    from tests.support.archive import RunningArchive
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


@dataclass(frozen=True, slots=True)
class Met:
    """What came of a run that met many faults, each on a file of its own, and of the run after they ended.

    Attributes:
        mirror: As the second run left it.
        victims: The file of each fault, by its id.
        unmet: Faults that struck nothing.
        first: The report of the run that met them.
        states: State and reason of every file after it.
        keys: The objects after it.
        broken: Promises that did not hold after either run.
        second: The report of the run after they ended.
    """

    mirror: Bench
    victims: dict[str, str]
    unmet: set[str | None]
    first: RunReport
    states: dict[str, tuple[str, str]]
    keys: set[str]
    broken: list[str]
    second: RunReport


def meet(mirror: Bench, cases: list[Any], **count: int) -> Met:
    hours = range(1, len(cases) + 1)
    victims = {
        case: f"{DEVICE}_{NOON - timedelta(hours=hour):%Y%m%dT%H0000.000Z}-SDAQ-MODULE.hdf5"
        for case, hour in zip(ids(cases), hours, strict=True)
    }
    for (kind, fields, *_), victim in zip(cases, victims.values(), strict=True):
        endpoint = None if kind is Kind.GONE_BETWEEN else "download"
        mirror.archive.fault(kind, filename=victim, endpoint=endpoint, **count, **fields)

    # One file more, so that there is one that no fault strikes.
    first = mirror.run(devices=(DEVICE,), since=mirror.now - timedelta(hours=len(cases) + 1))

    unmet = {fault.filename for fault in mirror.archive.faults.all().values()}
    states, keys = mirror.ledger_states(DEVICE), set(mirror.objects())
    broken = broken_promises(look_around(mirror.archive, mirror.settings, first))
    mirror.archive.faults.clear()
    mirror.settings = mirror.settings.model_copy(update={"overlap": timedelta(0)})
    mirror.turn(mirror.now + timedelta(minutes=40))
    second = mirror.run(devices=(DEVICE,))
    broken += broken_promises(look_around(mirror.archive, mirror.settings, second))
    return Met(mirror, victims, unmet, first, states, keys, broken, second)


@pytest.fixture(scope="module")
def new_mirror(one_archive: RunningArchive, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Bench]:
    def made() -> Bench:
        one_archive.faults.clear()
        return bench(one_archive, tmp_path_factory.mktemp("mirror"))

    return made


@pytest.fixture(scope="module")
def passed(new_mirror: Callable[[], Bench]) -> tuple[Met, ...]:
    """Runs that met all faults that strike once; one that hits every connection comes alone."""
    return meet(new_mirror(), CURED[:1], count=1), meet(new_mirror(), CURED[1:], count=1)


@pytest.fixture(scope="module")
def stayed(new_mirror: Callable[[], Bench]) -> dict[int, Met]:
    """By exit code the run that met all faults that stay and have that."""
    codes = sorted({case[-1] for case in LASTING})
    return {code: meet(new_mirror(), [case for case in LASTING if case[-1] == code]) for code in codes}


@pytest.mark.parametrize("case", ids(CURED))
def test_a_fault_that_passes_is_retried_and_leaves_no_trace(passed: tuple[Met, ...], case: str) -> None:
    (met,) = [met for met in passed if case in met.victims]
    victim = met.victims[case]

    assert victim not in met.unmet, "the fault never struck"
    assert any(victim in key for key in met.keys if key.startswith("raw/"))
    assert met.states[victim] == ("mirrored", "")
    assert (met.first.mirrored, met.first.exit_code) == (len(met.victims) + 1, 0)
    assert met.broken == []


@pytest.mark.parametrize(
    ("case", "decision", "reason", "exit_code"),
    [(case, *expected) for case, (_, _, *expected) in zip(ids(LASTING), LASTING, strict=True)],
    ids=ids(LASTING),
)
def test_a_fault_that_stays_costs_its_file_only_until_it_has_passed(
    stayed: dict[int, Met], case: str, decision: str, reason: str, exit_code: int
) -> None:
    met = stayed[exit_code]
    victim = met.victims[case]

    (bad,) = [file for file in met.first.attention if file.filename == victim]
    assert (bad.decision, bad.reason) == (decision, reason)
    assert bad.detail
    assert len(met.first.attention) == len(met.victims)
    assert (met.first.mirrored, met.first.exit_code) == (1, exit_code)
    assert met.states[victim] == ("held" if decision == "failed" else decision, reason)
    assert not any(victim in key for key in met.keys if key.startswith("raw/"))
    assert any(victim in key for key in met.keys if key.startswith("quarantine/")) == (decision == "quarantined")

    if decision in {"failed", "held"}:
        assert any(victim in key for key in met.mirror.objects("raw/"))
    assert met.second.exit_code == 0
    assert met.broken == []


UNLISTED: list[tuple[Kind, dict[str, Any], str]] = [
    (Kind.SERVER_ERROR, {}, "archive-busy"),
    (Kind.STALL, {}, "stalled"),
    (Kind.RESET, {}, "truncated-body"),
    (Kind.HTML, {}, "garbled-answer"),
    (Kind.GARBLED_JSON, {}, "garbled-answer"),
    (Kind.TOO_MANY_REQUESTS, {"seconds": 0.1}, "archive-busy"),
    (Kind.STATUS, {"status": 403}, "request-rejected"),
]
DEVICES = (
    DEVICE,
    "TUMSTANDARDMODULE003",
    "TUMPMTSPECTROMETER001",
    "TUMPMTSPECTROMETER002",
    "TUMLIDAR001",
    "TUMLIDAR002",
    "TUMMUONTRACKER001",
)


def test_devices_that_cannot_be_listed_fail_the_run_and_stop_nobody(mirror: Bench) -> None:
    for (kind, fields, _), device in zip(UNLISTED, DEVICES, strict=True):
        mirror.archive.fault(kind, device=device, endpoint="device", **fields)

    report = mirror.run(devices=(*DEVICES, OTHER))

    expected = {device: reason for device, (_, _, reason) in zip(DEVICES, UNLISTED, strict=True)}
    assert {error.device: error.reason for error in report.errors} == expected
    assert len(report.errors) == len(expected)
    assert report.mirrored == 2
    assert report.exit_code == 1
    with mirror.open() as parts:
        # Where its first window began.
        assert {parts.ledger.watermark(device) for device in DEVICES} == {mirror.now - timedelta(hours=1)}
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
