"""What the ledger keeps about files, devices and runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given

from onc_mirror.changes import Content
from onc_mirror.frames import listing_frame
from onc_mirror.ledger import open_ledger
from onc_mirror.model import WRONG_DEVICE, Decision, Grade, Outcome, ProvenObject, State, TimeWindow
from onc_mirror.selection import Selection
from tests.support.archive_files import DEVICE, any_text, archive_file, archive_files, bounded

if TYPE_CHECKING:
    from onc_mirror.ledger import Ledger
    from onc_mirror.model import ArchiveFile

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
RUN = "20261122T120000-1"
FILE = archive_file()
SHA = "ab" * 32


@pytest.fixture(autouse=True)
def _run(ledger: Ledger) -> None:
    ledger.start_run(RUN, "mirror-hour", NOON)


def listed(ledger: Ledger, *files: ArchiveFile, now: datetime = NOON) -> None:
    ledger.record_listed(files, run_id=RUN, now=now)


def record(
    ledger: Ledger, decision: Decision, file: ArchiveFile = FILE, *, now: datetime = NOON, **facts: Any
) -> None:
    ledger.record(Outcome(file, decision, **facts), run_id=RUN, now=now)


def mirrored(ledger: Ledger, file: ArchiveFile = FILE, **facts: Any) -> None:
    measured: dict[str, Any] = {"key": "raw/x", "sha256": SHA, "grade": Grade.CONTENT, "size_bytes": 60_000}
    record(ledger, Decision.MIRRORED, file, **measured | facts)


def entry(ledger: Ledger, file: ArchiveFile = FILE) -> dict[str, Any]:
    """What the ledger knows of one file, None for what is missing."""
    entries = ledger.entries(file.device_code, [file.filename])
    assert len(entries) == 1
    return {str(name): None if pd.isna(value) else value for name, value in entries.iloc[0].items()}


def test_a_new_file_is_listed(ledger: Ledger) -> None:
    listed(ledger, FILE)

    known = entry(ledger)
    assert (known["state"], known["reason"], known["attempts"], known["key"]) == ("listed", "", 0, None)
    assert ledger.unfinished(DEVICE) == (FILE,)


def test_what_an_object_contains_is_kept_until_other_bytes_take_its_place(ledger: Ledger) -> None:
    content = Content(60_000, NOON, LATER, {"/a": "3 int32"}, 1, "ab")
    mirrored(ledger, content=content)
    known = ledger.proven_object(FILE)
    assert known is not None
    assert known.content == content

    record(ledger, Decision.ALREADY, key="raw/x", sha256=SHA, grade=Grade.CONTENT)
    found_again = ledger.proven_object(FILE)
    record(ledger, Decision.ALREADY, key="raw/x", sha256="cd" * 32, grade=Grade.CONTENT)
    other = ledger.proven_object(FILE)

    assert found_again is not None
    assert found_again.content == content
    assert other is not None
    assert other.content is None


def test_filtered_files_are_found_by_their_rule_once_it_no_longer_objects(ledger: Ledger) -> None:
    texts = [archive_file(number, filename=f"{number}.txt") for number in range(3)]
    others = {"size": archive_file(5), "product": archive_file(6), "name": archive_file(7)}
    for file in (*texts, archive_file(8, filename="x.log"), archive_file(9, "TUMLIDAR002", filename="y.txt")):
        record(ledger, Decision.FILTERED, file, reason="extension")
    for rule, file in others.items():
        record(ledger, Decision.FILTERED, file, reason=rule)
    mirrored(ledger, archive_file(10, filename="z.txt"))

    def found(*extensions: str, limit: int = 10) -> list[str]:
        selection = Selection(extensions=frozenset(extensions) or None)
        return [file.filename for file in ledger.no_longer_filtered(DEVICE, selection, limit)]

    rest = [file.filename for file in reversed(others.values())]
    assert found("hdf5") == rest
    assert found("hdf5", "TXT") == [*rest, "2.txt", "1.txt", "0.txt"]
    assert found("hdf5", "txt", limit=4) == [*rest, "2.txt"]
    assert found() == ["x.log", *rest, "2.txt", "1.txt", "0.txt"]


def test_listing_again_keeps_state_and_settled_facts_and_renews_the_row(ledger: Ledger) -> None:
    listed(ledger, FILE)
    mirrored(ledger)

    newer = replace(FILE, stored_bytes=7, modified_at=LATER, row={"new": 1})
    listed(ledger, newer)

    known = entry(ledger)
    assert known["state"] == State.MIRRORED
    assert (known["settled_bytes"], known["settled_at"]) == (60_000, FILE.changed_at)
    record(ledger, Decision.HELD, newer, reason="stalled")
    assert ledger.unfinished(DEVICE) == (newer,)


def test_of_differing_rows_for_one_file_the_one_touched_last_is_kept(ledger: Ledger) -> None:
    newer = replace(FILE, modified_at=FILE.archived_at + timedelta(days=1) if FILE.archived_at else None)

    listed(ledger, newer, FILE)

    assert ledger.unfinished(DEVICE) == (newer,)


@pytest.mark.parametrize("number", [0, 1, 4_999, 5_001])
def test_many_files_are_entered_in_one_call(ledger: Ledger, number: int) -> None:
    files = [archive_file(index) for index in range(number)]

    listed(ledger, *files)

    assert ledger.unfinished(DEVICE) == tuple(files)
    assert len(ledger.entries(DEVICE)) == number
    assert len(ledger.entries(DEVICE, [file.filename for file in files])) == number


def test_entries_have_the_same_types_with_and_without_rows(ledger: Ledger) -> None:
    listed(ledger, FILE)

    assert ledger.entries(DEVICE).dtypes.equals(ledger.entries("NOBODY").dtypes)
    assert ledger.entries(DEVICE, ["nothing.hdf5"]).empty


def test_a_mirrored_file_says_where_and_what_it_is(ledger: Ledger) -> None:
    listed(ledger, FILE)

    mirrored(ledger, now=LATER)

    known = entry(ledger)
    assert (known["state"], known["key"], known["sha256"], known["size_bytes"]) == ("mirrored", "raw/x", SHA, 60_000)
    assert known["mirrored_at"] == LATER
    assert ledger.unfinished(DEVICE) == ()


def test_a_file_that_the_bucket_held_already_is_mirrored_with_its_listed_size(ledger: Ledger) -> None:
    listed(ledger, FILE)

    record(ledger, Decision.ALREADY, key="raw/x", sha256=SHA)

    assert (entry(ledger)["state"], entry(ledger)["size_bytes"]) == ("mirrored", FILE.stored_bytes)


def test_a_planned_already_changes_nothing(ledger: Ledger) -> None:
    mirrored(ledger)
    before = entry(ledger)

    record(ledger, Decision.ALREADY, now=LATER)

    assert entry(ledger) == before


@pytest.mark.parametrize("decision", [Decision.HELD, Decision.FAILED])
def test_every_failure_counts_an_attempt_until_one_succeeds(ledger: Ledger, decision: Decision) -> None:
    listed(ledger, FILE)

    record(ledger, decision, reason="stalled", detail="No byte for 60 s.", next_try_at=LATER)
    record(ledger, decision, reason="stalled", next_try_at=LATER)

    known = entry(ledger)
    assert (known["state"], known["reason"], known["attempts"]) == ("held", "stalled", 2)
    assert known["next_try_at"] == LATER
    mirrored(ledger)
    known = entry(ledger)
    assert (known["state"], known["reason"], known["attempts"], known["next_try_at"]) == ("mirrored", "", 0, None)


def test_a_held_file_keeps_its_older_proven_object(ledger: Ledger) -> None:
    mirrored(ledger)

    record(ledger, Decision.HELD, reason="stalled")

    assert (entry(ledger)["state"], entry(ledger)["key"]) == ("held", "raw/x")


def test_a_quarantined_file_is_settled_and_keeps_its_older_proven_object(ledger: Ledger) -> None:
    mirrored(ledger)
    newer = replace(FILE, stored_bytes=7)

    record(ledger, Decision.QUARANTINED, newer, reason="truncated-file", key="quarantine/x", sha256="cd" * 32)

    known = entry(ledger)
    assert (known["state"], known["reason"], known["settled_bytes"]) == ("quarantined", "truncated-file", 7)
    assert (known["key"], known["sha256"]) == ("raw/x", SHA)


def test_a_verdict_on_the_row_alone_leaves_a_mirrored_file_mirrored(ledger: Ledger) -> None:
    mirrored(ledger)

    record(ledger, Decision.QUARANTINED, reason="wrong-device")

    assert entry(ledger)["state"] == State.MIRRORED


def test_a_listed_file_that_the_selection_leaves_out_is_filtered(ledger: Ledger) -> None:
    listed(ledger, FILE)

    record(ledger, Decision.FILTERED, reason="extension")

    assert (entry(ledger)["state"], entry(ledger)["rule"]) == ("filtered", "extension")
    assert ledger.unfinished(DEVICE) == ()


def test_a_held_file_that_the_selection_leaves_out_is_filtered_and_goes_on_where_it_was(ledger: Ledger) -> None:
    record(ledger, Decision.HELD, reason="stalled", next_try_at=LATER)
    before = entry(ledger)

    record(ledger, Decision.FILTERED, reason="extension")

    assert entry(ledger) == before | {"state": "filtered", "rule": "extension", "revision": before["revision"] + 1}
    assert ledger.unfinished(DEVICE) == ()
    assert ledger.trials.of(FILE).failed == 1
    assert ledger.no_longer_filtered(DEVICE, Selection(), 10) == (FILE,)
    record(ledger, Decision.FAILED, reason="stalled")
    assert (entry(ledger)["state"], entry(ledger)["attempts"]) == ("held", 2)


@pytest.mark.parametrize("bytes_were_bad", [False, True])
def test_a_stray_row_changes_nothing_about_a_file_that_was_tried(ledger: Ledger, *, bytes_were_bad: bool) -> None:
    if bytes_were_bad:
        record(ledger, Decision.QUARANTINED, reason="not-hdf5", key="quarantine/x", sha256=SHA)
    else:
        record(ledger, Decision.HELD, reason="stalled", next_try_at=LATER)
    before = entry(ledger)

    listed(ledger, FILE)
    record(ledger, Decision.QUARANTINED, reason=WRONG_DEVICE)

    assert entry(ledger) == before
    assert len(ledger.unfinished(DEVICE)) == int(not bytes_were_bad)


@pytest.mark.parametrize("home_first", [False, True])
def test_a_stray_row_leaves_the_file_to_its_own_device(ledger: Ledger, *, home_first: bool) -> None:
    for asked in (DEVICE, "ANOTHER") if home_first else ("ANOTHER", DEVICE):
        ledger.record_listed([FILE], run_id=RUN, now=NOON, device_code=asked)
        if asked != DEVICE:
            record(ledger, Decision.QUARANTINED, reason=WRONG_DEVICE)

    assert (entry(ledger)["state"], entry(ledger)["reason"]) == ("listed", "")
    assert ledger.unfinished(DEVICE) == (FILE,)


@pytest.mark.parametrize("was_gone", [False, True])
def test_of_a_file_that_only_another_device_lists_its_own_listing_says_nothing(
    ledger: Ledger, *, was_gone: bool
) -> None:
    if was_gone:
        record(ledger, Decision.GONE, reason="vanished")
    ledger.record_listed([FILE], run_id=RUN, now=NOON, device_code="ANOTHER")
    record(ledger, Decision.QUARANTINED, reason=WRONG_DEVICE)

    assert (entry(ledger)["state"], entry(ledger)["reason"]) == ("quarantined", WRONG_DEVICE)
    assert ledger.unfinished(DEVICE) == ()
    assert ledger.archived_between(DEVICE, TimeWindow(NOON - timedelta(days=9999), LATER)) == ()


def test_a_name_that_cannot_be_a_key_is_not_taken_up_again(ledger: Ledger) -> None:
    listed(ledger, FILE)

    record(ledger, Decision.QUARANTINED, reason="bad-name")

    assert entry(ledger)["reason"] == "bad-name"
    assert ledger.unfinished(DEVICE) == ()


@pytest.mark.parametrize("decision", [Decision.MIRRORED, Decision.QUARANTINED])
def test_a_filter_changes_nothing_about_settled_files(ledger: Ledger, decision: Decision) -> None:
    record(ledger, decision, key="k", sha256=SHA, reason="bad" if decision is Decision.QUARANTINED else "")
    before = entry(ledger)

    record(ledger, Decision.FILTERED, reason="extension")

    assert entry(ledger) == before


def test_a_file_that_is_gone_keeps_its_object(ledger: Ledger) -> None:
    mirrored(ledger)

    record(ledger, Decision.GONE, reason="vanished")

    assert (entry(ledger)["state"], entry(ledger)["key"]) == ("gone", "raw/x")


def test_outcomes_of_all_kinds_are_recorded_together(ledger: Ledger) -> None:
    decisions = [decision for decision in Decision if decision is not Decision.FETCH]
    files = [archive_file(number) for number, _ in enumerate(decisions)]

    ledger.record_many(
        [Outcome(file, decision, "reason", key="k") for file, decision in zip(files, decisions, strict=True)],
        run_id=RUN,
        now=NOON,
    )

    states = ledger.entries(DEVICE)["state"].tolist()
    assert states == ["mirrored", "mirrored", "held", "quarantined", "filtered", "gone", "held"]


@bounded
@given(file=archive_files(device_codes=any_text), text=any_text)
def test_no_text_of_the_archive_breaks_the_ledger(ledger: Ledger, file: ArchiveFile, text: str) -> None:
    listed(ledger, file)
    record(ledger, Decision.HELD, file, reason="stalled", detail=text)

    known = entry(ledger, file)
    assert (known["device_code"], known["filename"]) == (file.device_code, file.filename)
    assert file.row in [found.row for found in ledger.unfinished(file.device_code)]


@pytest.mark.parametrize(
    "name", ["", "\\", "a\\b", "\x00", "\ud800", "x" * 10_000, "ü" * 299, "\\" + "0" * 64], ids=range(8)
)
def test_hostile_names_are_distinct_entries(ledger: Ledger, name: str) -> None:
    files = [replace(FILE, filename=name), replace(FILE, filename=name + "."), FILE]

    listed(ledger, *files)

    assert {file.filename for file in ledger.unfinished(DEVICE)} == {file.filename for file in files}
    merged = listing_frame(files).merge(ledger.entries(DEVICE), on=["device_code", "filename"])
    assert len(merged) == 3


def test_no_secret_parameter_reaches_the_ledger(ledger: Ledger) -> None:
    record(ledger, Decision.HELD, reason="stalled", detail="GET /download?token=canary-token&filename=a")

    assert "canary-token" not in entry(ledger)["detail"]
    assert "token=***" in entry(ledger)["detail"]


def test_many_threads_record_at_once(ledger: Ledger) -> None:
    files = [archive_file(number) for number in range(200)]
    listed(ledger, *files)

    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(mirrored, ledger, file) for file in files]:
            done.result()

    assert ledger.entries(DEVICE)["state"].tolist() == ["mirrored"] * 200


def test_what_was_recorded_is_there_after_opening_again(ledger: Ledger, ledger_url: str) -> None:
    mirrored(ledger)
    ledger.close()

    with open_ledger(ledger_url) as again:
        assert entry(again)["state"] == State.MIRRORED


def test_the_proven_object_stays_known_whatever_becomes_of_the_file(ledger: Ledger) -> None:
    listed(ledger, FILE)
    assert ledger.proven_object(FILE) is None
    mirrored(ledger)

    for decision in (Decision.HELD, Decision.QUARANTINED, Decision.GONE):
        record(ledger, decision, reason="stalled")
        assert ledger.proven_object(FILE) == ProvenObject("raw/x", SHA)
    assert ledger.proven_object(archive_file(7)) is None
