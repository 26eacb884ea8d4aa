"""A ledger that was lost: the bucket alone gives it back, and the runs after it find nothing to do."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text

from infra.sandbox.archive.faults import Kind
from onc_mirror.errors import SettingsError
from onc_mirror.rebuild.story import rebuild
from onc_mirror.reconcile.story import ReconcileRequest, reconcile
from onc_mirror.scrub.story import ScrubRequest, scrub
from onc_mirror.store import open_store
from tests.support.mirrors import DEVICE, NOON, Bench, bench
from tests.support.rot import rot
from tests.support.stores import STORES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from onc_mirror.rebuild.story import Rebuilt
    from tests.support.archive import RunningArchive

NAME = DEVICE + "_20220502T{}0000.000Z-SDAQ-PMTSPEC.hdf5"
BAD, REPLACED, REPLACED_BY_BAD, ROTTEN = (NAME.format(hour) for hour in ("11", "10", "09", "08"))

# What the bucket cannot tell, or tells as the moment of the upload: a bit before the ledger heard of it.
UNKNOWABLE = {
    "first_run_id",
    "last_run_id",
    "lease_owner",
    "lease_until",
    "revision",
    "found",
    "last_read_at",
    "damage_found_at",
}
MOMENTS = {"state_since", "mirrored_at", "first_listed_at", "last_listed_at"}


@dataclass(frozen=True)
class Known:
    """What a ledger knows: every row of a file by its name, and the watermark."""

    rows: dict[str, dict[str, Any]]
    watermarks: dict[str, str]


@pytest.fixture(params=[*((store, "raw") for store in STORES), (STORES[0], "strawb")], ids="-".join)
def lived(request: pytest.FixtureRequest, bench_in: Callable[..., Bench]) -> Bench:
    """A mirror with some hours of one device, into every kind of store, to which much has happened."""
    store, layout = request.param
    return much_happens_to(bench_in(store, layout=layout))


@pytest.fixture
def mirror(archive: RunningArchive, tmp_path: Path) -> Bench:
    made = bench(archive, tmp_path)
    assert made.run(devices=(DEVICE,)).mirrored == 10
    return made


def much_happens_to(mirror: Bench) -> Bench:
    mirror.archive.fault(Kind.BIT_FLIP, offset=0, filename=BAD)
    first = mirror.run(devices=(DEVICE,), since=NOON - timedelta(hours=6))
    assert first.quarantined == 1
    mirror.turn(mirror.now + timedelta(minutes=10))
    for name in (REPLACED, REPLACED_BY_BAD):
        mirror.archive.fault(Kind.RE_ARCHIVED, filename=name, at=mirror.now)
    mirror.archive.fault(Kind.BIT_FLIP, offset=0, filename=REPLACED_BY_BAD)
    mirror.turn(mirror.now + timedelta(minutes=10))
    assert mirror.run(devices=(DEVICE,), since=NOON - timedelta(hours=6)).quarantined == 2
    (key,) = (key for key in mirror.objects() if key.endswith(f"/{ROTTEN}"))
    rot(mirror, key)
    with mirror.open() as parts:
        assert scrub(parts, ScrubRequest()).report.mirrored == 1
    mirror.turn(mirror.now + timedelta(minutes=10))
    return mirror


def known(mirror: Bench) -> Known:
    engine = create_engine(mirror.settings.ledger)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM files")).mappings().all()
        watermarks = connection.execute(text("SELECT device_code, watermark FROM devices")).all()
    engine.dispose()
    return Known({row["filename"]: dict(row) for row in rows}, {code: str(until) for code, until in watermarks})


def lose_ledger(mirror: Bench) -> None:
    shutil.rmtree(mirror.settings.state_dir)


def run(mirror: Bench, **options: Any) -> Rebuilt:
    with mirror.open() as parts:
        return rebuild(parts, **options)


def test_a_lost_ledger_comes_back_row_by_row_and_nothing_is_left_to_do(lived: Bench) -> None:
    before, objects = known(lived), lived.objects()
    lose_ledger(lived)
    lived.archive.forget_requests()

    rebuilt = run(lived)

    assert rebuilt.counts == {
        "mirrored": len(before.rows) - 1 - sum(row["state"] == "filtered" for row in before.rows.values()),
        "quarantined": 2,
        "superseded": 1,
        "damaged": 1,
        "report": rebuilt.counts["report"],
    }
    assert (rebuilt.exit_code, rebuilt.strangers) == (3, [])
    assert not lived.archive.requests_for("download")
    after = known(lived)
    told = {name: row for name, row in before.rows.items() if row["state"] != "filtered"}
    assert set(after.rows) == set(told)
    assert {row["state"] for row in after.rows.values()} == {"mirrored", "quarantined"}
    for name, row in told.items():
        again = after.rows[name]
        story = {"detail"} if row["state"] == "mirrored" else set()  # for people; what matters is elsewhere
        for column in set(row) - UNKNOWABLE - MOMENTS - {"row"} - story:
            assert again[column] == row[column], (name, column)
    assert {key: sha for key, sha in lived.objects().items() if not key.startswith("reports/")} == {
        key: sha for key, sha in objects.items() if not key.startswith("reports/")
    }

    hour = lived.run(devices=(DEVICE,))
    assert (hour.mirrored, hour.failed, hour.held) == (0, 0, 0)
    assert not lived.archive.requests_for("download")
    with lived.open() as parts:
        found = reconcile(parts, ReconcileRequest(days=1, devices=(DEVICE,)))
    assert not found.differences
    assert not lived.archive.requests_for("download")


def test_what_was_put_there_by_hand_is_told_and_not_believed(mirror: Bench) -> None:
    folder = f"raw/{DEVICE}/2022/05/02/"
    with open_store(mirror.settings) as store:
        store.write(f"{folder}notes.txt", b"mine", "text/plain")
        store.write("todo.txt", b"mine", "text/plain")
        store.copy(f"{folder}{BAD}", f"{folder}copy-of-{BAD}")
    lose_ledger(mirror)

    rebuilt = run(mirror)

    told = {one.key.rpartition("/")[2]: one.why for one in rebuilt.strangers}
    assert set(told) == {"notes.txt", "todo.txt", f"copy-of-{BAD}"}
    assert told["notes.txt"] == "It does not say which file it is."
    assert "has another key" in told[f"copy-of-{BAD}"]
    assert (rebuilt.exit_code, rebuilt.counts["mirrored"], len(known(mirror).rows)) == (3, 10, 10)


def test_a_ledger_that_is_not_empty_is_refused_or_only_added_to(mirror: Bench) -> None:
    before = known(mirror)
    with pytest.raises(SettingsError, match="--into-existing"):
        run(mirror)
    assert known(mirror) == before

    engine = create_engine(mirror.settings.ledger)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM files WHERE filename = :name"), {"name": BAD})
        connection.execute(text("UPDATE files SET reason = 'marked' WHERE filename = :name"), {"name": REPLACED})
    engine.dispose()
    changed = known(mirror)

    run(mirror, into_existing=True)

    after = known(mirror)
    assert set(after.rows) == set(before.rows)
    assert {name: row for name, row in after.rows.items() if name != BAD} == changed.rows
    assert after.rows[BAD]["sha256"] == before.rows[BAD]["sha256"]
    assert after.watermarks == before.watermarks


@pytest.mark.parametrize("had_watermarks", [False, True])
def test_a_rebuild_that_was_killed_is_repeated(mirror: Bench, *, had_watermarks: bool) -> None:
    before = known(mirror)
    lose_ledger(mirror)
    run(mirror)
    engine = create_engine(mirror.settings.ledger)
    with engine.begin() as connection:
        if not had_watermarks:
            connection.execute(text("DELETE FROM files WHERE filename >= :name"), {"name": REPLACED})
            connection.execute(text("DELETE FROM devices"))
        connection.execute(text("UPDATE runs SET state = 'running', finished_at = NULL"))
    engine.dispose()

    run(mirror)

    after = known(mirror)
    mirrored = {name for name, row in before.rows.items() if row["state"] == "mirrored"}
    assert set(after.rows) == mirrored
    assert set(after.watermarks) == {DEVICE}


def test_what_came_into_the_archive_while_the_ledger_was_lost_is_mirrored(mirror: Bench) -> None:
    lose_ledger(mirror)
    run(mirror)
    mirror.turn(mirror.now + timedelta(hours=7))

    report = mirror.run(devices=(DEVICE,))

    assert report.mirrored > 25
    assert report.already
    mirror.assert_promises_hold(report)
