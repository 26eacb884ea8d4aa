"""Objects that rot, vanish or are replaced in the store: a scrub reads it, mends it from the archive, or fails."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.errors import BucketMissingError
from onc_mirror.scrub.story import ScrubRequest, scrub
from onc_mirror.store import open_store
from tests.support.dying_mirror import run_and_die
from tests.support.mirrors import DEVICE, NOON, VICTIM, Bench, bench
from tests.support.rot import rot
from tests.support.stores import S3_STORES, STORES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from onc_mirror.scrub.findings import Scrubbed
    from tests.support.archive import RunningArchive

KEY = f"raw/{DEVICE}/2022/05/02/{VICTIM}"


@pytest.fixture(params=STORES)
def everywhere(request: pytest.FixtureRequest, bench_in: Callable[..., Bench]) -> Bench:
    """A mirror, into every kind of store, with ten files of one device in it."""
    return filled(bench_in(request.param))


@pytest.fixture
def mirror(archive: RunningArchive, tmp_path: Path) -> Bench:
    return filled(bench(archive, tmp_path))


def filled(mirror: Bench) -> Bench:
    assert mirror.run(devices=(DEVICE,)).mirrored == 10
    mirror.archive.forget_requests()
    return mirror


def run(mirror: Bench, **request: Any) -> Scrubbed:
    with mirror.open() as parts:
        return scrub(parts, ScrubRequest(**request))


def unread(mirror: Bench) -> int:
    with mirror.open() as parts:
        return parts.ledger.readings.stock(mirror.now).unread_objects


def quarantined(mirror: Bench) -> dict[str, str]:
    return {key: sha256 for key, sha256 in mirror.objects("quarantine/").items() if not key.endswith(".json")}


def test_all_new_objects_are_read_back_and_nothing_is_written(mirror: Bench) -> None:
    before = mirror.objects()

    scrubbed = run(mirror)

    report = scrubbed.report
    assert (report.exit_code, report.listed, report.already) == (0, 10, 10)
    assert scrubbed.read_bytes == scrubbed.stock.bytes > 0
    assert unread(mirror) == 0
    assert mirror.objects() == before


def test_a_rotten_object_is_mended_and_its_bytes_are_kept(everywhere: Bench) -> None:
    good = everywhere.objects()[KEY]
    bad = rot(everywhere, KEY)
    assert everywhere.objects()[KEY] == bad != good

    report = run(everywhere).report

    assert (report.exit_code, report.mirrored, report.already) == (0, 1, 9)
    assert everywhere.objects()[KEY] == good
    assert quarantined(everywhere) == {f"quarantine/{DEVICE}/{VICTIM}.{bad[:8]}": bad}
    assert not everywhere.objects("superseded/")
    assert f"it has SHA-256 {bad[:8]}, and was proven with {good[:8]}" in report.files[0].detail
    assert len(everywhere.archive.requests_for("download")) == 1
    assert everywhere.ledger_states(DEVICE)[VICTIM] == ("mirrored", "")
    assert unread(everywhere) == 1  # the new copy is read back by the next one
    assert run(everywhere).report.exit_code == unread(everywhere) == 0


def test_a_missing_object_is_fetched_again(mirror: Bench) -> None:
    good = mirror.objects()[KEY]
    with open_store(mirror.settings) as store:
        store.delete(KEY)

    report = run(mirror).report

    assert (report.exit_code, report.mirrored) == (0, 1)
    assert f"There is no object {KEY} any more." in report.files[0].detail
    assert mirror.objects()[KEY] == good
    assert not quarantined(mirror)


def test_rot_in_a_file_that_the_archive_has_no_more_fails_the_run_and_keeps_the_object(mirror: Bench) -> None:
    bad = rot(mirror, KEY)
    mirror.archive.fault(Kind.VANISHED, filename=VICTIM)

    report = run(mirror).report

    assert (report.exit_code, report.gone) == (1, 1)
    assert [error.reason for error in report.errors] == ["lost"]
    assert VICTIM in report.errors[0].detail
    assert mirror.objects()[KEY] == bad
    assert list(quarantined(mirror).values()) == [bad]
    assert mirror.ledger_states(DEVICE)[VICTIM] == ("gone", "vanished")


def test_rot_in_a_file_of_which_the_archive_has_other_bytes_fails_the_run(mirror: Bench) -> None:
    good = mirror.objects()[KEY]
    bad = rot(mirror, KEY)
    mirror.archive.fault(Kind.RE_ARCHIVED, filename=VICTIM, at=mirror.now, keep_size=True)
    mirror.turn(mirror.now + timedelta(minutes=1))
    other = mirror.archive.true_sha256(VICTIM)
    assert other != good

    report = run(mirror).report

    assert (report.exit_code, [error.reason for error in report.errors]) == (1, ["other-content"])
    assert mirror.objects()[KEY] == other
    assert list(quarantined(mirror).values()) == [bad]


def test_a_scrub_whose_repair_fails_leaves_it_to_the_hourly_run(mirror: Bench) -> None:
    good, bad = mirror.objects()[KEY], rot(mirror, KEY)
    mirror.archive.fault(Kind.STATUS, endpoint="download", status=503)

    assert run(mirror).report.exit_code == 1
    assert mirror.objects()[KEY] == bad

    mirror.archive.faults.clear()
    mirror.turn(mirror.now + timedelta(hours=1))
    report = mirror.run(devices=(DEVICE,))

    assert mirror.objects()[KEY] == good
    assert list(quarantined(mirror).values()) == [bad]
    assert report.exit_code == 0
    assert mirror.ledger_states(DEVICE)[VICTIM] == ("mirrored", "")


def test_a_replaced_object_goes_to_superseded_where_it_says_what_it_is(mirror: Bench) -> None:
    good = mirror.objects()[KEY]
    with open_store(mirror.settings) as store:
        store.write(KEY, b"of somebody else", "text/plain")
    somebodys = mirror.objects()[KEY]

    report = run(mirror).report

    assert (report.exit_code, report.mirrored) == (0, 1)
    assert mirror.objects()[KEY] == good
    assert list(mirror.objects("superseded/").values()) == [somebodys]


def test_an_empty_bucket_is_left_alone_until_somebody_says_so(archive: RunningArchive, tmp_path: Path) -> None:
    mirror = bench(archive, tmp_path)
    assert mirror.run(devices=(DEVICE,), since=NOON - timedelta(hours=12)).mirrored > 25
    mirror.archive.forget_requests()
    kept = mirror.objects()
    with open_store(mirror.settings) as store:
        for key in kept:
            store.delete(key)

    report = run(mirror).report

    assert (report.exit_code, report.failed) == (1, report.listed)
    assert "unlikely-change" in {error.reason for error in report.errors}
    assert not mirror.archive.requests_for("download")
    assert mirror.ledger_states(DEVICE)[VICTIM] == ("mirrored", "")

    assert run(mirror, force=True).report.exit_code == 0
    raw = {key: sha256 for key, sha256 in kept.items() if key.startswith("raw/")}
    assert mirror.objects("raw/") == raw


def test_a_store_that_is_down_fails_the_run_and_marks_nothing(mirror: Bench, tmp_path: Path) -> None:
    (tmp_path / "bucket").rename(tmp_path / "away")

    with pytest.raises(BucketMissingError):
        run(mirror)

    (tmp_path / "away").rename(tmp_path / "bucket")
    assert unread(mirror) == 10
    assert mirror.ledger_states(DEVICE)[VICTIM] == ("mirrored", "")
    with mirror.open() as parts:
        assert [one.state for one in parts.ledger.runs(9) if one.flow == "scrub"] == ["failed"]


def test_an_object_that_cannot_be_read_fails_the_run_and_is_not_taken_for_damaged(mirror: Bench) -> None:
    path = mirror.settings.state_dir.parent / "bucket" / KEY
    path.unlink()
    path.symlink_to("/proc/self/mem")  # it is there, and reading it fails with EIO

    report = run(mirror).report

    assert (report.exit_code, report.failed, report.already) == (1, 1, 9)
    assert report.files[0].reason == "store-unavailable"
    assert mirror.ledger_states(DEVICE)[VICTIM] == ("mirrored", "")
    assert not mirror.archive.requests_for("download")


def test_a_budget_is_kept_and_the_next_run_goes_on_from_there(mirror: Bench) -> None:
    with mirror.open() as parts:
        everything = parts.ledger.readings.stock(mirror.now).bytes
    left = []
    for _ in range(10):
        mirror.turn(mirror.now + timedelta(minutes=1))
        scrubbed = run(mirror, budget_bytes=everything // 3)
        assert 0 < scrubbed.read_bytes <= everything // 3
        left.append(unread(mirror))
        if left[-1] == 0:
            break

    assert left == sorted(left, reverse=True)
    assert left[0] > 0 == left[-1]


@pytest.mark.parametrize("everywhere", S3_STORES, indirect=True)
def test_uploads_that_nobody_ended_are_aborted_after_a_day_below_the_prefix_alone(
    everywhere: Bench, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["everywhere"]
    client = request.getfixturevalue(name).client
    bucket = everywhere.settings.store_url.split("/")[2]
    keys = (f"mirror/{KEY}", "mirror/raw/notes", f"other/{KEY}", f"mirror/quarantine/{DEVICE}/{VICTIM}.01234567")
    for key in keys:
        client.create_multipart_upload(Bucket=bucket, Key=key)

    def open_uploads() -> set[str]:
        return {row["Key"] for row in client.list_multipart_uploads(Bucket=bucket).get("Uploads", ())}

    assert open_uploads() == set(keys)
    with everywhere.open() as parts:
        begun_at = max(upload.begun_at for upload in parts.store.uploads())
    everywhere.turn(begun_at + timedelta(hours=23))

    assert run(everywhere).leftovers.found == 0

    everywhere.turn(begun_at + timedelta(hours=25))
    leftovers = run(everywhere).leftovers

    assert (leftovers.found, leftovers.aborted, leftovers.trouble) == (2, 2, "")
    assert open_uploads() == set(keys[1:3])


@pytest.mark.parametrize("effect", ["store.publish", "store.write", "ledger.record_many"])
def test_a_scrub_that_is_killed_while_it_mends_is_ended_by_the_next_runs(mirror: Bench, effect: str) -> None:
    good, bad = mirror.objects()[KEY], rot(mirror, KEY)
    run_and_die(mirror, effect, "scrub")
    mirror.turn(mirror.now + timedelta(hours=1))

    hour = mirror.run(devices=(DEVICE,))
    report = run(mirror).report

    assert (hour.exit_code, report.exit_code) == (0, 0)
    assert mirror.objects()[KEY] == good
    assert list(quarantined(mirror).values()) == [bad]
    assert not mirror.objects("superseded/")
    assert unread(mirror) == 0
