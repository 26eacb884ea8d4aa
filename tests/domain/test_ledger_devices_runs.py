"""What the ledger keeps about devices and runs, and its summary for `status`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from onc_mirror.liveness import liveness
from onc_mirror.model import Decision, Outcome, State
from tests.support.archive_files import DEVICE, archive_file
from tests.support.reports import build_report

if TYPE_CHECKING:
    from onc_mirror.ledger import Ledger

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
RUN = "20261122T120000-1"


@pytest.fixture(autouse=True)
def _run(ledger: Ledger) -> None:
    ledger.start_run(RUN, "mirror-hour", NOON)


def test_a_watermark_never_moves_backwards(ledger: Ledger) -> None:
    assert ledger.watermark(DEVICE) is None

    for until in (NOON, LATER, NOON):
        ledger.advance_watermark(DEVICE, until, NOON)

    assert ledger.watermark(DEVICE) == LATER
    assert ledger.watermark("ANOTHER") is None


def test_a_device_that_was_never_listed_is_told_from_others_and_can_be_forgotten(ledger: Ledger) -> None:
    for code in ("KNOWN", "SLIP"):
        ledger.beginnings.note(code, NOON)
    ledger.advance_watermark(DEVICE, LATER, NOON)
    before = {device.device_code: device.watermark for device in ledger.summary()}

    ledger.beginnings.note(DEVICE, NOON)
    ledger.advance_watermark("KNOWN", LATER, NOON)
    for code in (DEVICE, "KNOWN", "SLIP"):
        ledger.beginnings.forget(code)

    assert before == {DEVICE: LATER, "KNOWN": None, "SLIP": None}
    assert {device.device_code: device.watermark for device in ledger.summary()} == {DEVICE: LATER, "KNOWN": LATER}
    assert ledger.watermark("SLIP") is None


def test_times_are_the_same_moment_whatever_zone_they_come_in(ledger: Ledger) -> None:
    there = NOON.astimezone(timezone(timedelta(hours=-8)))

    ledger.advance_watermark(DEVICE, there, there)

    assert ledger.watermark(DEVICE) == NOON
    assert str(ledger.watermark(DEVICE)) == "2026-11-22 12:00:00+00:00"


def test_a_run_is_running_until_its_report_is_kept(ledger: Ledger) -> None:
    assert [(run.run_id, run.state, run.finished_at) for run in ledger.runs()] == [(RUN, "running", None)]
    assert ledger.report(RUN) is None

    report = build_report(
        run_id=RUN, flow="mirror-hour", window=(None, NOON), devices=[DEVICE], outcomes=[], errors=[], seconds=1.5
    )
    ledger.finish_run(report, LATER)
    ledger.start_run(RUN, "mirror-hour", LATER)

    (run,) = ledger.runs()
    assert (run.state, run.started_at, run.finished_at) == ("completed", NOON, LATER)
    assert json.loads(ledger.report(RUN) or "")["run_id"] == RUN


def test_runs_come_newest_first(ledger: Ledger) -> None:
    ledger.start_run("later", "backfill", LATER)

    assert [run.run_id for run in ledger.runs()] == ["later", RUN]
    assert [run.run_id for run in ledger.runs(limit=1)] == ["later"]


def test_the_summary_counts_files_and_bytes_by_state(ledger: Ledger) -> None:
    files = [archive_file(number, stored_bytes=100) for number in range(4)]
    ledger.record_listed([*files, archive_file(device_code="ANOTHER")], run_id=RUN, now=NOON)
    mirrored = [Outcome(file, Decision.MIRRORED, key="k", sha256="ab", size_bytes=100) for file in files[:2]]
    held = Outcome(files[2], Decision.HELD, "stalled")
    ledger.record_many([*mirrored, held], run_id=RUN, now=NOON)
    ledger.record(held, run_id=RUN, now=LATER)
    ledger.advance_watermark(DEVICE, NOON, NOON)
    ledger.advance_watermark("SILENT", NOON, NOON)

    another, silent, device = ledger.summary()

    assert (another.device_code, another.watermark, another.files[State.LISTED]) == ("ANOTHER", None, 1)
    assert (silent.watermark, sum(silent.files.values())) == (NOON, 0)
    assert {state: count for state, count in device.files.items() if count} == {
        State.MIRRORED: 2,
        State.HELD: 1,
        State.LISTED: 1,
    }
    assert (device.size_bytes[State.MIRRORED], device.size_bytes[State.HELD]) == (200, 100)
    assert (device.oldest_held_since, device.newest_data_at) == (NOON, files[1].ends_at)


def test_files_of_some_states_and_devices_come_oldest_first_under_their_exact_names(ledger: Ledger) -> None:
    odd = archive_file(3, filename="half a pair \ud800.hdf5")
    held = Outcome(odd, Decision.HELD, "stalled", "No byte.", next_try_at=LATER)
    ledger.record(held, run_id=RUN, now=LATER)
    bad = Outcome(archive_file(1), Decision.QUARANTINED, "truncated-file", key="quarantine/x", sha256="ab")
    ledger.record(bad, run_id=RUN, now=NOON)
    ledger.record(Outcome(archive_file(2), Decision.FILTERED, "extension"), run_id=RUN, now=NOON)
    ledger.record(Outcome(archive_file(0, "ANOTHER"), Decision.GONE, "vanished"), run_id=RUN, now=NOON)

    waiting = ledger.files_in(State.HELD, State.QUARANTINED)
    filtered, gone = ledger.files_in(State.FILTERED), ledger.files_in(State.GONE, device_codes=["ANOTHER"])

    assert [(file.filename, file.reason, file.since) for file in waiting] == [
        (archive_file(1).filename, "truncated-file", NOON),
        (odd.filename, "stalled", LATER),
    ]
    assert [(file.attempts, file.next_try_at, file.quarantine_key) for file in waiting] == [
        (1, None, "quarantine/x"),
        (1, LATER, None),
    ]
    assert ledger.files_in(State.HELD, State.QUARANTINED, limit=1) == waiting[:1]
    assert [(file.state, file.reason) for file in (*filtered, *gone)] == [
        ("filtered", "extension"),
        ("gone", "vanished"),
    ]
    assert not ledger.files_in(State.GONE, device_codes=[DEVICE])


def test_a_clock_that_ran_ahead_does_not_keep_a_dead_mirror_alive(ledger: Ledger) -> None:
    for run_id, at in (("before", NOON - timedelta(hours=9)), ("ahead", NOON + timedelta(days=300))):
        ledger.start_run(run_id, "mirror-hour", at)
        report = build_report(
            run_id=run_id, flow="mirror-hour", window=(None, at), devices=[], outcomes=[], errors=[], seconds=1
        )
        ledger.finish_run(report, at)
    ledger.start_run("killed ahead", "mirror-hour", NOON, alive_until=NOON + timedelta(days=300))

    dead = liveness(ledger, timedelta(hours=3), NOON)
    for number in range(20):
        ledger.start_run(f"part-{number}", "backfill-part", NOON, alive_until=NOON + timedelta(minutes=2))
    ledger.start_run("at-work", "mirror-hour", NOON - timedelta(hours=4), alive_until=NOON + timedelta(minutes=2))
    alive = liveness(ledger, timedelta(hours=3), NOON)

    assert dead.detail.startswith("Not alive for 3 h: last good run ended at 2026-11-22T03:00:00Z.")
    assert alive.detail.startswith("Alive: run at-work is at work since 2026-11-22T08:00:00Z; ")
