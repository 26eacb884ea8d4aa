"""One device's archive, ledger and bucket: which sign and which standing each file and object gets, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from onc_mirror.layout import mirrored_key
from onc_mirror.reconcile.comparing import doubtful_keys, objects_frame
from onc_mirror.reconcile.standing import Standing
from tests.support.archive_files import BEGIN, DEVICE, archive_file
from tests.support.worlds import NOW, Scene, entry, snapshot, stored

if TYPE_CHECKING:
    from onc_mirror.model import StoredObject

FILE = archive_file()
KEY = mirrored_key(FILE)
DAY = (BEGIN.replace(hour=0), BEGIN.replace(hour=0) + timedelta(days=1))


def scene(*, listed: bool = True, state: str | None = None, there: bool = False) -> Scene:
    """A file in or out of the archive, the ledger and the bucket."""
    made = Scene(archive=[FILE] if listed else [])
    if state is not None:
        made.ledger[FILE.filename] = entry(FILE, state)
    if there:
        made.bucket[KEY] = stored(FILE)
    return made


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (scene(state="mirrored", there=True), ("=", "same")),
        (scene(state="mirrored"), ("+", "missing-object")),
        (scene(state="held"), ("+", "held")),
        (scene(state="held", there=True), ("*", "held")),
        (scene(state="quarantined"), ("+", "quarantined")),
        (scene(state="listed"), ("+", "unfinished")),
        (scene(state="filtered"), ("+", "selected")),
        (scene(state="gone"), ("+", "listed-again")),
        (scene(), ("+", "missed")),
        (scene(there=True), ("*", "unrecorded")),
        (scene(listed=False, state="mirrored", there=True), ("-", "vanished")),
        (scene(listed=False, state="mirrored"), ("!", "lost")),
        (scene(listed=False, state="held"), ("=", "vanished")),
        (scene(listed=False, state="gone", there=True), ("-", "gone")),
        (scene(listed=False, there=True), ("-", "unknown-object")),
    ],
    ids=lambda made: "-".join(made) if isinstance(made, tuple) else "",
)
def test_where_a_file_is_gives_its_sign_and_what_that_means_its_standing(
    made: Scene, expected: tuple[str, str]
) -> None:
    assert made.standings() == {FILE.filename: expected}


@pytest.mark.parametrize(
    "found",
    [
        stored(FILE, size_bytes=5),
        stored(FILE, metadata={"sha256": "ff" * 32}),
        stored(FILE, metadata={}),
    ],
    ids=["size", "hash", "no-hash"],
)
def test_an_object_that_is_not_what_was_proven_is_damaged_and_told_apart(found: StoredObject) -> None:
    made = scene(state="mirrored")
    made.bucket[KEY] = found

    (row,) = made.compared().to_dict("records")

    assert (row["sign"], row["standing"]) == ("*", "damaged-object")
    assert row["detail"].startswith(f"The object has {found.size_bytes} bytes and ")
    assert f"what was proven has {FILE.expected_bytes} bytes and SHA-256 00000000" in row["detail"]
    assert row["size_bytes"] == found.size_bytes


def test_a_listing_without_metadata_tells_nothing_about_content() -> None:
    made = scene(state="mirrored", there=True)
    worlds = made.worlds()
    listed = objects_frame([stored(FILE, metadata={})])

    assert listed["sha256"].isna().all()
    assert doubtful_keys(worlds.before, listed) == ()


def test_the_archive_s_newer_row_is_a_difference() -> None:
    made = scene(state="mirrored", there=True)
    made.archive = [replace(FILE, stored_bytes=9, modified_at=NOW)]

    (row,) = made.compared().to_dict("records")

    assert (row["sign"], row["standing"]) == ("*", "re-archived")
    assert "and is 9 bytes" in row["detail"]


def test_a_filtered_file_is_accounted_for_wherever_it_is() -> None:
    log = archive_file(1, filename=f"{DEVICE}_20261122T000000.000Z.txt")
    made = Scene(archive=[log])

    assert made.standings() == {log.filename: ("+", "filtered")}


def test_what_the_ledger_learnt_meanwhile_is_no_difference() -> None:
    """Missing, unknown and unrecorded all at once, had the ledger not changed while the bucket was listed."""
    missing, unknown, fresh = archive_file(), archive_file(1), archive_file(2)
    made = Scene(archive=[missing, fresh])
    made.ledger[missing.filename] = entry(missing)
    made.later[missing.filename] = entry(missing, revision=2)
    made.bucket = {mirrored_key(unknown): stored(unknown), mirrored_key(fresh): stored(fresh)}
    made.later |= {unknown.filename: entry(unknown), fresh.filename: entry(fresh)}

    assert made.standings() == {
        missing.filename: ("=", "changing"),
        fresh.filename: ("=", "changing"),
    }


def test_what_was_archived_since_the_watermark_is_the_next_hourly_run_s() -> None:
    made = scene()
    made.watermark = FILE.archived_at

    assert made.standings() == {FILE.filename: ("+", "new")}


def test_what_was_archived_before_the_mirror_began_is_the_backfill_s() -> None:
    made = scene()
    made.began_at = NOW

    assert made.standings() == {FILE.filename: ("+", "before-mirror")}


@pytest.mark.parametrize(
    ("entered_by", "standing"),
    [
        ("mirror-hour", "missed"),
        ("rebuild", "missed"),
        ("mirror-on-demand", "before-mirror"),
        ("backfill", "before-mirror"),
        ("backfill-part", "before-mirror"),
    ],
)
def test_only_what_an_hourly_run_or_a_lost_ledger_knew_before_makes_all_that_came_since_the_mirror_s(
    entered_by: str, standing: str
) -> None:
    """A rebuilt ledger knows no runs; a backfill asks for its days, and a list for its files."""
    made = scene()
    made.began_at = NOW
    made.mirror(archive_file(-2000), entered_by=entered_by)

    assert made.standings()[FILE.filename] == ("+", standing)


def test_an_object_of_which_a_new_ledger_knows_nothing_makes_what_came_since_the_mirror_s() -> None:
    made = scene()
    made.began_at = NOW
    older = archive_file(-2000)
    made.archive.append(older)
    made.bucket[mirrored_key(older)] = stored(older)

    assert made.standings()[FILE.filename] == ("+", "missed")


@pytest.mark.parametrize(("product", "standing"), [("SMRD", "missed"), ("LF", "before-mirror")])
def test_a_day_that_a_backfill_has_listed_is_the_mirror_s_wherever_it_lies(product: str, standing: str) -> None:
    made = scene()
    made.began_at = NOW
    made.mirror(replace(archive_file(-1), product_code=product), entered_by="backfill")

    assert made.standings()[FILE.filename] == ("+", standing)


def test_nothing_is_gone_where_the_archive_counts_more_than_it_lists() -> None:
    listed = archive_file(-1)
    made = Scene(short=[("SMRD", "hdf5", *DAY)])
    made.mirror(listed)
    made.ledger[FILE.filename] = entry(FILE)
    made.bucket[KEY] = stored(FILE)

    assert made.standings() == {listed.filename: ("=", "same"), FILE.filename: ("!", "counted-only")}


@pytest.mark.parametrize("span", [("LF", "hdf5", *DAY), ("SMRD", "txt", *DAY), ("SMRD", "hdf5", DAY[1], NOW)])
def test_other_products_formats_and_days_may_be_gone_all_the_same(span: tuple[str, str, object, object]) -> None:
    made = scene(listed=False, state="mirrored", there=True)
    made.short = [span]  # type: ignore[list-item]  # pytest's parameters have no types

    assert made.standings() == {FILE.filename: ("-", "vanished")}


def test_an_object_that_a_killed_run_left_on_another_day_is_no_stranger() -> None:
    made = Scene()
    made.mirror(FILE)
    moved = replace(FILE, begins_at=BEGIN + timedelta(days=1), modified_at=NOW)
    made.archive = [moved]
    made.bucket[mirrored_key(moved)] = stored(moved)

    assert made.standings() == {FILE.filename: ("*", "re-archived")}


@pytest.mark.parametrize(
    ("found", "doubtful"),
    [
        ([stored(FILE)], False),
        ([], True),
        ([stored(FILE, size_bytes=1)], True),
        ([stored(FILE, modified_at=NOW + timedelta(seconds=1))], True),
        ([stored(FILE, modified_at=None)], True),
    ],
    ids=["as-proven", "not-listed", "other-size", "written-since", "no-time"],
)
def test_only_what_the_listing_leaves_open_is_looked_at(found: list[StoredObject], doubtful: bool) -> None:  # noqa: FBT001 - the expectation
    before = snapshot([entry(FILE)])

    assert doubtful_keys(before, objects_frame(found)) == ((KEY,) if doubtful else ())


def test_a_closer_look_overrules_the_listing() -> None:
    frame = objects_frame([stored(FILE, metadata={}), stored(archive_file(1), metadata={})], {KEY: None})

    assert list(frame["key"]) == [mirrored_key(archive_file(1))]


def test_only_differences_have_something_to_say() -> None:
    made = Scene()
    made.mirror(FILE)
    made.archive.append(archive_file(1))
    rows = made.compared().set_index("standing")

    assert rows.loc["same", "detail"] == ""
    assert rows.loc["missed", "detail"] == Standing.MISSED.advice
    assert pd.api.types.is_string_dtype(rows["detail"])


def test_where_there_is_nothing_there_is_nothing_to_say() -> None:
    rows = Scene().compared()

    assert rows.empty
    assert {"sign", "standing", "detail", "size_bytes", "ours"} <= set(rows.columns)


def test_a_row_of_another_device_is_accounted_for() -> None:
    stray = archive_file(0, "OTHER")

    assert Scene(archive=[stray]).standings() == {stray.filename: ("+", "quarantined")}


def test_a_name_that_can_have_no_key_is_accounted_for() -> None:
    bad = replace(FILE, filename="../../etc/passwd")

    assert Scene(archive=[bad]).standings() == {bad.filename: ("+", "quarantined")}
