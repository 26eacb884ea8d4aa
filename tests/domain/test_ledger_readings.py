"""The ledger of readings, damage and restored files, on every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from onc_mirror.model import DAMAGED_OBJECT, ArchiveFile, Decision, Grade, Outcome, ProvenObject

if TYPE_CHECKING:
    from onc_mirror.ledger import Ledger
    from onc_mirror.ledger.readings import ProvenBytes

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
RUN = "run"
SHA = "ab" * 32


def file(number: int, device: str = "D1") -> ArchiveFile:
    name = f"{number}.hdf5"
    return ArchiveFile(name, device, archived_at=NOW, stored_bytes=10, row={"filename": name})


def mirrored(one: ArchiveFile, sha256: str = SHA) -> Outcome:
    return Outcome(
        one, Decision.MIRRORED, key=f"raw/{one.filename}", size_bytes=10, sha256=sha256, grade=Grade.CONTENT
    )


def quarantined(one: ArchiveFile) -> Outcome:
    return Outcome(one, Decision.QUARANTINED, reason="bad", key=f"q/{one.filename}", size_bytes=9, sha256="cd" * 32)


def record(ledger: Ledger, *outcomes: Outcome, at: datetime = NOW) -> None:
    ledger.start_run(RUN, "mirror-hour", NOW)
    ledger.record_many(outcomes, run_id=RUN, now=at)


def taken(ledger: Ledger, *devices: str) -> list[ProvenBytes]:
    return ledger.readings.take(lambda _: True, devices, limit=100)


def names(ledger: Ledger, *devices: str) -> list[str]:
    return [one.filename for one in taken(ledger, *devices)]


def hold_for_damage(ledger: Ledger, one: ArchiveFile) -> None:
    record(ledger, Outcome(one, Decision.HELD, reason=DAMAGED_OBJECT, blames_file=False))


def test_never_read_ones_come_first_and_damaged_ones_last(ledger: Ledger) -> None:
    record(ledger, *(mirrored(file(number)) for number in range(5)))
    everything = {one.filename: one for one in taken(ledger)}
    for number, hours in ((1, 3), (2, 5), (3, 1)):
        ledger.readings.note_proven([everything[f"{number}.hdf5"]], NOW - timedelta(hours=hours))
    hold_for_damage(ledger, file(0))

    assert names(ledger) == ["4.hdf5", "2.hdf5", "1.hdf5", "3.hdf5", "0.hdf5"]
    stock = ledger.readings.stock(NOW - timedelta(hours=2))
    assert (stock.objects, stock.bytes, stock.unread_objects, stock.unread_bytes) == (5, 50, 2, 20)
    assert (stock.due_bytes, stock.damaged_objects, stock.oldest_reading) == (20, 1, NOW - timedelta(hours=5))


def test_only_the_devices_asked_for_are_counted(ledger: Ledger) -> None:
    record(ledger, mirrored(file(1)), mirrored(file(2, "D2")))

    assert names(ledger, "D2") == ["2.hdf5"]
    assert ledger.readings.stock(NOW, ("D2",)).objects == 1


def test_a_proof_of_bytes_that_were_replaced_meanwhile_is_none(ledger: Ledger) -> None:
    record(ledger, mirrored(file(1)))
    (before,) = taken(ledger)
    record(ledger, mirrored(file(1), "ef" * 32))

    ledger.readings.note_proven([before], NOW)

    assert ledger.readings.stock(NOW).unread_objects == 1


def test_damage_stays_known_until_the_file_is_mirrored_again(ledger: Ledger) -> None:
    record(ledger, mirrored(file(1)))
    hold_for_damage(ledger, file(1))
    assert ledger.proven_object(file(1)) == ProvenObject("raw/1.hdf5", SHA, damaged=True)

    record(ledger, Outcome(file(1), Decision.FAILED, reason="stalled"))
    record(ledger, Outcome(file(1), Decision.GONE, reason="vanished"))
    assert ledger.proven_object(file(1)) == ProvenObject("raw/1.hdf5", SHA, damaged=True)

    record(ledger, mirrored(file(1)))
    assert ledger.proven_object(file(1)) == ProvenObject("raw/1.hdf5", SHA)


def test_damage_that_was_none_is_forgotten(ledger: Ledger) -> None:
    record(ledger, mirrored(file(1)))
    hold_for_damage(ledger, file(1))

    ledger.readings.note_sound(file(1), SHA, NOW)

    assert ledger.proven_object(file(1)) == ProvenObject("raw/1.hdf5", SHA)
    assert ledger.readings.stock(NOW).unread_objects == 0


def test_of_a_restored_file_the_later_end_counts(ledger: Ledger) -> None:
    ledger.start_run("rebuild", "rebuild", NOW)
    later = NOW + timedelta(hours=1)

    def restore(outcome: Outcome, moment: datetime) -> None:
        ledger.restoration.restore([(outcome, moment)], "rebuild")

    for _ in range(2):  # the second time is a rebuild that was killed and repeated
        restore(mirrored(file(1)), NOW)
        restore(mirrored(file(2)), later)
        restore(quarantined(file(1)), later)
        restore(quarantined(file(2)), NOW)
        restore(quarantined(file(3)), NOW)

    entries = ledger.entries("D1").set_index("filename")
    assert entries["state"].to_dict() == {"1.hdf5": "quarantined", "2.hdf5": "mirrored", "3.hdf5": "quarantined"}
    assert entries["key"].dropna().to_dict() == {"1.hdf5": "raw/1.hdf5", "2.hdf5": "raw/2.hdf5"}
    assert ledger.restoration.is_needed()
    span = ledger.restoration.spans()["D1"]
    assert (span.newest, span.first) == (NOW, NOW)


@pytest.mark.parametrize("earlier_first", [False, True])
@pytest.mark.parametrize("was_bad_between", [False, True])
def test_of_a_file_restored_from_two_places_the_earlier_counts_so_that_the_next_run_ends_the_move(
    ledger: Ledger, *, earlier_first: bool, was_bad_between: bool
) -> None:
    ledger.start_run("rebuild", "rebuild", NOW)
    moved = replace(mirrored(file(1), "ef" * 32), key="raw/another-day/1.hdf5")
    places = [(mirrored(file(1)), NOW), (moved, NOW + timedelta(hours=2))]
    for place in places if earlier_first else reversed(places):
        ledger.restoration.restore([place], "rebuild")
    if was_bad_between:
        ledger.restoration.restore([(quarantined(file(1)), NOW + timedelta(hours=1))], "rebuild")

    (known,) = ledger.entries("D1").to_dict("records")
    assert (known["key"], known["mirrored_at"]) == ("raw/1.hdf5", NOW)
    assert known["state"] == ("quarantined" if was_bad_between else "mirrored")


def test_a_restoration_changes_nothing_that_another_run_has_recorded(ledger: Ledger) -> None:
    record(ledger, mirrored(file(1)))
    ledger.start_run("rebuild", "rebuild", NOW)
    assert not ledger.restoration.is_needed()

    ledger.restoration.restore([(mirrored(file(1), "ef" * 32), NOW + timedelta(days=1))], "rebuild")
    ledger.restoration.restore([(quarantined(file(1)), NOW + timedelta(days=1))], "rebuild")
    ledger.advance_watermark("D1", NOW, NOW)
    ledger.restoration.restore_watermarks({"D1": NOW + timedelta(days=1), "D2": NOW}, NOW)

    assert ledger.proven_object(file(1)) == ProvenObject("raw/1.hdf5", SHA)
    assert ledger.entries("D1")["state"].tolist() == ["mirrored"]
    assert (ledger.watermark("D1"), ledger.watermark("D2")) == (NOW, NOW)
