"""What the ledger keeps of alerts, and what it knows that may be one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from onc_mirror.ledger.alerts import Alert, Arrival, Pile, Telling
from onc_mirror.model import DAMAGED_OBJECT, Decision, Grade, Outcome
from tests.support.archive_files import DEVICE, archive_file
from tests.support.reports import build_report

if TYPE_CHECKING:
    from onc_mirror.ledger import Ledger

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALERT = Alert(
    cause="damage", subject=DEVICE, since=NOON, opened_at=NOON, count=1, latest=NOON, detail="\x00d", run_id="r"
)
TOLD = Telling("damage", DEVICE, "webhook", NOON, 1, NOON)


def finish(ledger: Ledger, run_id: str, flow: str = "scrub") -> None:
    report = build_report(
        run_id=run_id, flow=flow, window=(None, None), devices=[], outcomes=[], errors=[], seconds=1.0
    )
    ledger.finish_run(report, NOON + HOUR)


def test_a_run_is_weighed_once_and_once_more_when_one_that_seemed_killed_ends(ledger: Ledger) -> None:
    ledger.start_run("old", "mirror-hour", NOON - HOUR, alive_until=NOON - HOUR, link="http://ui/old")
    ledger.start_run("done", "scrub", NOON)
    ledger.start_run("at-work", "scrub", NOON, alive_until=NOON + 9 * HOUR)
    finish(ledger, "done")

    first = ledger.alerts.unweighed(NOON + HOUR)
    ledger.alerts.settle([ALERT], [run.run_id for run in first], NOON + HOUR)
    second = ledger.alerts.unweighed(NOON + HOUR)
    finish(ledger, "old", "mirror-hour")

    assert [(run.run_id, run.link, run.report is None) for run in first] == [
        ("old", "http://ui/old", True),
        ("done", "", False),
    ]
    assert second == ()
    assert [run.run_id for run in ledger.alerts.unweighed(NOON + HOUR)] == ["old"]
    assert ledger.alerts.last_check(("scrub", "reconcile")) == NOON


def test_an_alert_and_who_was_told_are_kept_changed_and_forgotten(ledger: Ledger) -> None:
    kept = replace(ALERT, detail="\N{REPLACEMENT CHARACTER}d")
    ledger.alerts.settle([ALERT], [], NOON)
    ledger.alerts.note_told([TOLD])
    assert (ledger.alerts.read(), ledger.alerts.tellings()) == ((kept,), (TOLD,))

    ledger.alerts.settle([replace(ALERT, ended_at=NOON + HOUR, count=2)], [], NOON)
    ledger.alerts.note_told([replace(TOLD, count=2)])
    assert ledger.alerts.read() == (replace(kept, ended_at=NOON + HOUR, count=2),)

    ledger.alerts.forget([TOLD], [])
    assert (len(ledger.alerts.read()), ledger.alerts.tellings()) == (1, ())
    ledger.alerts.note_told([TOLD])
    ledger.alerts.forget([], [ALERT])
    assert (ledger.alerts.read(), ledger.alerts.tellings()) == ((), ())


def test_an_alert_about_a_device_of_any_name_is_kept(ledger: Ledger) -> None:
    ledger.alerts.settle([replace(ALERT, subject="\ud800\x00X")], [], NOON)

    assert [one.subject for one in ledger.alerts.read()] == ["\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}X"]


def test_damage_is_known_while_it_lasts_and_for_a_while_after_it_was_mended(ledger: Ledger) -> None:
    ledger.start_run("r", "scrub", NOON)
    files = [archive_file(number) for number in range(2)]
    proven = {"key": "raw/a", "sha256": "0" * 64, "size_bytes": 5, "grade": Grade.CONTENT}
    good = [Outcome(file, Decision.MIRRORED, **proven) for file in files]  # type: ignore[arg-type]  # as its fields are
    bad = [Outcome(file, Decision.HELD, DAMAGED_OBJECT, "It rotted.", blames_file=False) for file in files]
    ledger.record_many(good, run_id="r", now=NOON - HOUR)

    before = ledger.alerts.damaged(None)
    ledger.record_many(bad, run_id="r", now=NOON)
    ledger.record_many(good[:1], run_id="r", now=NOON + HOUR)

    names = (files[0].filename, files[1].filename)
    assert before == {}
    assert ledger.alerts.damaged(NOON) == {DEVICE: Pile(2, 1, NOON, NOON, names)}
    assert ledger.alerts.damaged(NOON + HOUR) == {DEVICE: Pile(1, 1, NOON, NOON, names[1:])}


def test_quarantined_files_and_the_last_arrivals_are_known_per_device(ledger: Ledger) -> None:
    ledger.start_run("r", "mirror-hour", NOON)
    file = archive_file()
    ledger.record_many(
        [Outcome(file, Decision.QUARANTINED, "truncated-file", sha256="0" * 64, key="q")], run_id="r", now=NOON
    )
    ledger.advance_watermark(DEVICE, NOON, NOON)
    ledger.advance_watermark("EMPTY", NOON + HOUR, NOON)

    assert ledger.alerts.quarantined() == {DEVICE: Pile(1, 1, NOON, NOON, (file.filename,))}
    assert ledger.alerts.arrivals(NOON) == {
        DEVICE: Arrival(NOON, file.archived_at),
        "EMPTY": Arrival(NOON + HOUR, None),
    }
    assert set(ledger.alerts.arrivals(NOON + HOUR)) == {"EMPTY"}
