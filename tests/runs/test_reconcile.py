"""What people and accidents do to a bucket, a ledger and an archive: reconcile finds it, mends it and tells it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text

from infra.sandbox.archive.faults import Kind
from onc_mirror.errors import BucketMissingError
from onc_mirror.flow_names import RECONCILE
from onc_mirror.model import TimeWindow
from onc_mirror.reconcile.story import (
    ReconcileRequest,
    fix_window,
    prepare_repair,
    reconcile,
    survey_devices,
)
from onc_mirror.run.archive_windows import LONGEST_WINDOW
from onc_mirror.run.gathering import begin_inquiry
from onc_mirror.run.life import begin_run
from onc_mirror.store import open_store
from tests.support.mirrors import DEVICE, NOON, Bench, bench
from tests.support.stores import STORES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from onc_mirror.reconcile.findings import Reconciliation
    from tests.support.archive import RunningArchive

RECOVERED = "TUMSTANDARDMODULE003"
FOLDER = f"raw/{DEVICE}/2022/05/02/"


@pytest.fixture(params=STORES)
def everywhere(request: pytest.FixtureRequest, bench_in: Callable[..., Bench]) -> Bench:
    """A mirror, into every kind of store, with two hours of one device in it."""
    return begun(bench_in(request.param))


@pytest.fixture
def mirror(archive: RunningArchive, tmp_path: Path) -> Bench:
    return begun(bench(archive, tmp_path))


def begun(mirror: Bench) -> Bench:
    report = mirror.run(devices=(DEVICE,))
    assert report.mirrored == 10
    return mirror


def run(mirror: Bench, **request: Any) -> Reconciliation:
    with mirror.open() as parts:
        chosen: dict[str, Any] = {"devices": (DEVICE,), "days": 1}
        return reconcile(parts, ReconcileRequest(**chosen | request))


def found(result: Reconciliation) -> dict[str, tuple[str, str, str | None]]:
    return {one.filename: (one.sign, str(one.standing), one.outcome) for one in result.differences}


def counted(result: Reconciliation) -> dict[str, int]:
    return {str(one.standing): one.files for one in result.counts()}


def document(mirror: Bench, result: Reconciliation) -> dict[str, Any]:
    key = f"reports/reconcile/2022/05/02/{result.run_id}-comparison.json"
    with open_store(mirror.settings) as store, store.open(key) as body:
        content: dict[str, Any] = json.loads(body.read())
    return content


@contextmanager
def ledger_at(mirror: Bench) -> Iterator[Any]:
    engine = create_engine(mirror.settings.ledger)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def keys(mirror: Bench) -> list[str]:
    return sorted(mirror.objects("raw/"))


def assert_mended(mirror: Bench) -> None:
    """The bucket holds what the archive has, and a second reconcile has nothing to do."""
    for key, sha256 in mirror.objects("raw/").items():
        if not key.endswith("notes.txt"):
            assert sha256 == mirror.archive.true_sha256(key.rpartition("/")[2])
    before = mirror.objects()
    mirror.archive.forget_requests()

    again = run(mirror)

    assert again.exit_code == 0
    assert not again.differences
    assert not mirror.archive.requests_for("download")
    assert mirror.objects() == before


def test_a_mirror_that_is_well_has_no_difference_and_is_left_alone(mirror: Bench) -> None:
    before = mirror.objects()
    mirror.archive.forget_requests()

    result = run(mirror)

    assert (result.exit_code, result.differences, result.disagreements) == (0, (), ())
    assert counted(result)["same"] == 10
    assert result.report is not None
    assert (result.report.already, result.report.mirrored) == (10, 0)
    assert result.report.listed == sum(one.files for one in result.counts())
    assert mirror.objects() == before
    assert not mirror.archive.requests_for("download")


def test_a_deleted_object_is_fetched_again(everywhere: Bench) -> None:
    victim = keys(everywhere)[3]
    with open_store(everywhere.settings) as store:
        store.delete(victim)

    result = run(everywhere)

    name = victim.rpartition("/")[2]
    assert result.exit_code == 0
    assert found(result) == {name: ("+", "missing-object", "mirrored")}
    assert victim in keys(everywhere)
    (told,) = document(everywhere, result)["devices"][0]["differences"]
    assert (told["key"], told["outcome"]) == (victim, "mirrored")
    assert_mended(everywhere)


def test_an_overwritten_object_is_replaced_and_kept_aside(everywhere: Bench) -> None:
    victim = keys(everywhere)[3]
    with open_store(everywhere.settings) as store:
        store.write(victim, b"not what was proven", "text/plain")

    result = run(everywhere)

    assert result.exit_code == 0
    assert found(result) == {victim.rpartition("/")[2]: ("*", "damaged-object", "mirrored")}
    assert "The object has 19 bytes and SHA-256 " in result.differences[0].detail
    with open_store(everywhere.settings) as store:
        (kept,) = store.list("superseded/")
        with store.open(kept.key) as body:
            assert body.read() == b"not what was proven"
    assert_mended(everywhere)


def test_an_object_of_the_right_size_that_claims_another_proof_is_fetched_again(mirror: Bench) -> None:
    """The archive's row in its metadata is right: only the ledger tells that these are not the bytes proven."""
    victim = keys(mirror)[3]
    with ledger_at(mirror) as connection:
        connection.execute(text("UPDATE files SET sha256 = :sha WHERE key = :key"), {"sha": "ff" * 32, "key": victim})
    mirror.archive.forget_requests()

    result = run(mirror)

    assert found(result) == {victim.rpartition("/")[2]: ("*", "damaged-object", "mirrored")}
    assert len(mirror.archive.requests_for("download")) == 1
    assert_mended(mirror)


def test_an_object_that_nobody_knows_is_told_and_left_alone(mirror: Bench) -> None:
    with open_store(mirror.settings) as store:
        store.write(f"{FOLDER}notes.txt", b"mine", "text/plain")

    results = [run(mirror), run(mirror)]

    for result in results:
        assert result.exit_code == 3
        assert found(result) == {"notes.txt": ("-", "unknown-object", None)}
        assert document(mirror, result)["devices"][0]["differences"][0]["key"] == f"{FOLDER}notes.txt"
    assert f"{FOLDER}notes.txt" in keys(mirror)


def test_a_lost_row_of_the_ledger_is_entered_again_without_a_download(mirror: Bench) -> None:
    victim = keys(mirror)[3]
    with ledger_at(mirror) as connection:
        connection.execute(text("DELETE FROM files WHERE key = :key"), {"key": victim})
    mirror.archive.forget_requests()

    result = run(mirror)

    assert found(result) == {victim.rpartition("/")[2]: ("*", "unrecorded", "mirrored")}
    assert not mirror.archive.requests_for("download")
    assert_mended(mirror)


def test_a_file_that_slipped_past_the_watermark_is_fetched(mirror: Bench) -> None:
    """As one that was archived into the past: no hourly run will list it again."""
    victim = keys(mirror)[3]
    with open_store(mirror.settings) as store, ledger_at(mirror) as connection:
        store.delete(victim)
        connection.execute(text("DELETE FROM files WHERE key = :key"), {"key": victim})
    mirror.turn(NOON + timedelta(minutes=10))
    assert mirror.run(devices=(DEVICE,), since=NOON).listed < 10
    assert victim not in keys(mirror)

    result = run(mirror)

    assert found(result)[victim.rpartition("/")[2]] == ("+", "missed", "mirrored")
    assert victim in keys(mirror)
    assert_mended(mirror)


def test_what_was_never_asked_for_is_left_to_the_backfill(mirror: Bench) -> None:
    result = run(mirror)

    older = counted(result)["before-mirror"]
    assert older > 10
    assert result.report is not None
    assert result.report.filtered["before-mirror"] > 0
    assert len(keys(mirror)) == 10


def test_a_list_of_files_makes_no_duty_of_what_was_archived_beside_them(
    archive: RunningArchive, tmp_path: Path
) -> None:
    mirror = bench(archive, tmp_path)
    with mirror.open() as parts:
        listed = parts.archive.list_files(DEVICE, archived=TimeWindow(NOON - timedelta(hours=30), NOON)).files
    chosen = tuple(file for file in listed if file.extension == "hdf5")[:3]
    mirror.run(only=chosen)

    result = run(mirror)

    assert (found(result), result.exit_code) == ({}, 0)
    assert counted(result)["before-mirror"] > 10
    assert len(keys(mirror)) == 3


def test_what_the_archive_replaced_is_fetched_and_the_old_copy_kept(mirror: Bench) -> None:
    victim = keys(mirror)[3].rpartition("/")[2]
    mirror.archive.fault(Kind.RE_ARCHIVED, filename=victim, at=NOON - timedelta(minutes=1))

    result = run(mirror)

    assert found(result) == {victim: ("*", "re-archived", "mirrored")}
    assert list(mirror.objects("superseded/"))
    assert_mended(mirror)


def test_what_vanished_from_the_archive_is_gone_and_its_object_kept(mirror: Bench) -> None:
    victim = keys(mirror)[3]
    name = victim.rpartition("/")[2]
    mirror.archive.fault(Kind.VANISHED, filename=name)

    result, again = run(mirror), run(mirror)

    assert found(result) == {name: ("-", "vanished", "gone: not-listed")}
    assert mirror.ledger_states(DEVICE)[name][0] == "gone"
    assert victim in keys(mirror)
    assert (again.differences, counted(again)["gone"]) == ((), 1)


def test_what_neither_archive_nor_bucket_has_is_an_alarm(mirror: Bench) -> None:
    victim = keys(mirror)[3]
    mirror.archive.fault(Kind.VANISHED, filename=victim.rpartition("/")[2])
    with open_store(mirror.settings) as store:
        store.delete(victim)

    result = run(mirror)

    assert result.exit_code == 1
    assert found(result) == {victim.rpartition("/")[2]: ("!", "lost", "gone: not-listed")}
    assert [error.reason for error in result.errors] == ["lost"]


def more(mirror: Bench) -> None:
    """Mirror enough files for the guard to have an opinion."""
    report = mirror.run(devices=(DEVICE,), since=NOON - timedelta(hours=7))
    assert report.already + report.mirrored > 30


def test_an_emptied_bucket_stops_the_run_before_anything_is_done(mirror: Bench) -> None:
    more(mirror)
    states = mirror.ledger_states(DEVICE)
    with open_store(mirror.settings) as store:
        for key in keys(mirror):
            store.delete(key)
    mirror.archive.forget_requests()

    result = run(mirror)

    assert result.exit_code == 1
    assert result.report is not None
    assert (result.report.state, result.report.mirrored) == ("failed", 0)
    (error,) = result.errors
    assert (error.device, error.reason) == ("", "unlikely-change")
    assert "ONC_MIRROR_STORE_URL" in error.detail
    assert "--force" in error.detail
    assert not keys(mirror)
    assert mirror.ledger_states(DEVICE) == states
    assert not mirror.archive.requests_for("download")
    assert document(mirror, result)["errors"]


def test_a_person_may_overrule_the_guard(mirror: Bench) -> None:
    more(mirror)
    before = keys(mirror)
    with open_store(mirror.settings) as store:
        for key in before:
            store.delete(key)

    result = run(mirror, force=True)

    assert result.exit_code == 0
    assert keys(mirror) == before
    assert_mended(mirror)


def test_an_empty_listing_is_no_reason_to_give_anything_up(mirror: Bench) -> None:
    states = mirror.ledger_states(DEVICE)
    mirror.archive.fault(Kind.EMPTY_LISTING, device=DEVICE, endpoint="device")

    result = run(mirror)

    assert result.exit_code == 1
    (error,) = result.errors
    assert (error.device, error.reason) == (DEVICE, "empty-listing")
    assert f"the ledger knows {len(states)}" in error.detail
    assert mirror.ledger_states(DEVICE) == states


def test_a_listing_without_a_witness_is_not_believed_to_be_empty(mirror: Bench) -> None:
    mirror.archive.fault(Kind.EMPTY_LISTING, device=DEVICE, endpoint="device")
    mirror.archive.fault(Kind.SERVER_ERROR, endpoint="dataAvailability")

    result = run(mirror)

    assert [error.reason for error in result.errors] == ["empty-listing"]
    assert "does not say how many it has" in result.errors[0].detail


def test_what_a_listing_lost_is_asked_for_by_name_where_the_archive_does_not_count(mirror: Bench) -> None:
    victim = keys(mirror)[3].rpartition("/")[2]
    elsewhere = {"filename": "odd.hdf5", "dateFrom": "2022-04-01T00:00:00.000Z"}
    mirror.archive.fault(Kind.CHANGED_ROWS, filename=victim, changes=elsewhere, endpoint="device", count=1)
    mirror.archive.fault(Kind.SERVER_ERROR, endpoint="dataAvailability")

    result = run(mirror)

    assert [(error.device, error.reason) for error in result.errors] == [(DEVICE, "short-listing")]
    assert mirror.ledger_states(DEVICE)[victim][0] == "mirrored"


def test_what_a_listing_lost_is_not_given_up_where_the_archive_counts_it(mirror: Bench) -> None:
    victim = keys(mirror)[3].rpartition("/")[2]
    elsewhere = {"filename": "odd.hdf5", "dateFrom": "2022-04-01T00:00:00.000Z"}
    mirror.archive.fault(Kind.CHANGED_ROWS, filename=victim, changes=elsewhere)

    result = run(mirror)

    assert (result.exit_code, found(result)) == (3, {victim: ("!", "counted-only", None)})
    assert [told.counts_more for _, told in result.disagreements] == [True]
    assert mirror.ledger_states(DEVICE)[victim][0] == "mirrored"


def test_a_witness_that_says_otherwise_is_heard_and_changes_nothing(mirror: Bench) -> None:
    extra = {
        **mirror.archive.row(keys(mirror)[0].rpartition("/")[2]),
        "filename": f"{DEVICE}_20220502T111111.000Z.txt",
    }
    extra |= {"dateFrom": "2022-05-02T11:11:11.000Z", "dataProductCode": "LF"}
    mirror.archive.fault(Kind.EXTRA_ROWS, device=DEVICE, rows=(extra,))

    result = run(mirror)

    assert result.exit_code == 3
    ((device, told),) = result.disagreements
    assert (device, told.product_code, told.extension) == (DEVICE, "LF", "txt")
    assert told.listed.files == told.counted.files + 1
    assert not result.differences
    (noted,) = document(mirror, result)["devices"][0]["witness"]["disagreements"]
    assert noted["since"] == "2022-05-02T00:00:00Z"


def test_a_witness_that_is_silent_is_told(mirror: Bench) -> None:
    mirror.archive.fault(Kind.SERVER_ERROR, endpoint="dataAvailability")

    result = run(mirror)

    assert result.exit_code == 3
    assert result.devices[0].silent_witness
    assert counted(result)["same"] == 10


def test_a_dry_run_compares_and_leaves_no_trace(mirror: Bench) -> None:
    victim = keys(mirror)[3]
    with open_store(mirror.settings) as store:
        store.delete(victim)
    before = mirror.objects()
    with mirror.open() as parts:
        runs = parts.ledger.runs()

    result = run(mirror, dry_run=True)

    assert result.exit_code == 3
    assert found(result) == {victim.rpartition("/")[2]: ("+", "missing-object", None)}
    assert json.loads(result.to_json())["dry_run"]
    assert mirror.objects() == before
    with mirror.open() as parts:
        assert parts.ledger.runs() == runs
        assert parts.ledger.unfinished(DEVICE) == ()


def test_a_device_that_cannot_be_listed_costs_the_others_nothing(mirror: Bench) -> None:
    victim = keys(mirror)[3]
    with open_store(mirror.settings) as store:
        store.delete(victim)
    mirror.archive.fault(Kind.SERVER_ERROR, device="TUMLIDAR001", endpoint="device")

    result = run(mirror, devices=("TUMLIDAR001", DEVICE))

    assert result.exit_code == 1
    assert [(error.device, error.reason) for error in result.errors] == [("TUMLIDAR001", "archive-busy")]
    assert victim in keys(mirror)


def test_a_bucket_that_is_not_there_ends_the_run_at_once(mirror: Bench) -> None:
    folder = mirror.settings.state_dir.parent / "bucket"
    folder.rename(folder.with_name("elsewhere"))
    mirror.turn(NOON + timedelta(minutes=1))

    with pytest.raises(BucketMissingError):
        run(mirror)

    with mirror.open() as parts:
        assert parts.ledger.runs(1)[0].state == "failed"


def test_both_layouts_are_compared(archive: RunningArchive, tmp_path: Path) -> None:
    mirror = bench(archive, tmp_path, layout="strawb")
    mirror.run(devices=(DEVICE,), since=NOON - timedelta(hours=2))
    folder = f"{DEVICE.lower()}/2022_05/"
    victim = next(iter(mirror.objects(folder)))
    with open_store(mirror.settings) as store:
        store.delete(victim)
        store.write(f"{folder}notes.txt", b"mine", "text/plain")
        store.write(f"{folder}{DEVICE}_20220520T000000.000Z-SDAQ-CAMERA.hdf5", b"another week's", "text/plain")

    result = run(mirror)

    expected = {victim.rpartition("/")[2]: ("+", "missing-object", "mirrored")}
    assert found(result) == expected | {"notes.txt": ("-", "unknown-object", None)}


def test_what_a_killed_reconcile_had_begun_is_ended_by_the_next_hourly_run(mirror: Bench) -> None:
    victim = keys(mirror)[3]
    with open_store(mirror.settings) as store:
        store.delete(victim)
    with mirror.open() as parts:
        killed = begin_run(parts, RECONCILE)
        asked = fix_window(parts, killed, ReconcileRequest(devices=(DEVICE,), days=1))
        inquiry = begin_inquiry(killed, asked, lambda: None)
        prepare_repair(parts, inquiry, survey_devices(parts, inquiry), force=False)
    assert mirror.ledger_states(DEVICE)[victim.rpartition("/")[2]] == ("held", "missing-object")
    mirror.turn(NOON + timedelta(minutes=5))

    mirror.run(devices=(DEVICE,))

    assert victim in keys(mirror)
    assert_mended(mirror)


def test_reconciles_at_the_same_time_fetch_each_file_once(mirror: Bench) -> None:
    victims = keys(mirror)[2:6]
    with open_store(mirror.settings) as store:
        for victim in victims:
            store.delete(victim)
    mirror.archive.forget_requests()

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: run(mirror), range(2)))

    assert {one.exit_code for one in results} <= {0, 3}
    fetched = [served.filename for served in mirror.archive.requests_for("download")]
    assert sorted(map(str, fetched)) == sorted(victim.rpartition("/")[2] for victim in victims)
    assert_mended(mirror)


def test_the_days_compared_may_be_more_than_a_run_takes_of_archive_time(mirror: Bench) -> None:
    days = LONGEST_WINDOW.days + 59
    mirror.settings = mirror.settings.model_copy(update={"stall_timeout_s": 30.0})  # nothing stalls here

    result = run(mirror, since=NOON - timedelta(days=days), until=NOON, dry_run=True)

    assert (result.window.until - result.window.since).days > days
    assert not result.errors


def test_a_device_without_data_is_compared_all_the_same(mirror: Bench) -> None:
    before = NOON - timedelta(days=3000)

    result = run(mirror, since=before, until=before + timedelta(days=1))

    assert result.exit_code == 0
    assert [(one.device, one.counts) for one in result.devices] == [(DEVICE, ())]
    assert result.report is not None
    assert result.report.listed == 0


def test_devices_are_those_that_were_in_the_water_when_the_data_were_taken(mirror: Bench) -> None:
    then = datetime(2021, 3, 20, tzinfo=UTC)

    now_asked = run(mirror, devices=(), dry_run=True)
    then_asked = run(mirror, devices=(), dry_run=True, since=then, until=then + timedelta(days=1))

    assert RECOVERED not in {one.device for one in now_asked.devices}
    assert {RECOVERED, DEVICE} <= {one.device for one in then_asked.devices}
