"""What the planner decides, and that it loses nothing whatever the archive lists."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from onc_mirror.frames import files_from_frame, listing_frame
from onc_mirror.model import Decision, Grade, Outcome
from onc_mirror.planning import outcomes, plan, to_record
from onc_mirror.selection import Selection
from tests.support.archive_files import DEVICE, archive_file

if TYPE_CHECKING:
    from onc_mirror.ledger import Ledger
    from onc_mirror.model import ArchiveFile

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOON, BEFORE = NOON + timedelta(minutes=1), NOON - timedelta(minutes=1)
RUN = "20261122T120000-1"
FILE = archive_file()
TXT_ONLY = Selection(extensions=frozenset({"txt"}))


@pytest.fixture(autouse=True)
def _run(ledger: Ledger) -> None:
    ledger.start_run(RUN, "mirror-hour", NOON)


def entries_of(ledger: Ledger, *files: ArchiveFile) -> pd.DataFrame:
    devices = sorted({file.device_code for file in files} | {DEVICE})
    return pd.concat([ledger.entries(device) for device in devices], ignore_index=True)


def planned(
    ledger: Ledger, *files: ArchiveFile, selection: Selection | None = None, device_code: str | None = None
) -> pd.DataFrame:
    frame = listing_frame(files)
    return plan(frame, entries_of(ledger, *files), selection or Selection(), now=NOON, device_code=device_code)


def decision(ledger: Ledger, file: ArchiveFile, selection: Selection | None = None) -> tuple[str, str]:
    frame = planned(ledger, file, selection=selection, device_code=DEVICE)
    assert len(frame) == 1
    return frame["decision"][0], frame["reason"][0]


def record(ledger: Ledger, end: Decision, file: ArchiveFile = FILE, **facts: Any) -> None:
    ledger.record_listed([file], run_id=RUN, now=NOON)
    ledger.record(Outcome(file, end, **facts), run_id=RUN, now=NOON)


def mirror(ledger: Ledger, file: ArchiveFile = FILE) -> None:
    size = 1 if file.expected_bytes is None else file.expected_bytes
    record(ledger, Decision.MIRRORED, file, key="k", sha256="ab", grade=Grade.CONTENT, size_bytes=size)


def test_a_file_that_nobody_knows_is_fetched(ledger: Ledger) -> None:
    assert decision(ledger, FILE) == ("fetch", "new")


def test_a_file_that_a_killed_run_left_is_fetched(ledger: Ledger) -> None:
    ledger.record_listed([FILE], run_id=RUN, now=NOON)

    assert decision(ledger, FILE) == ("fetch", "new")


def test_a_mirrored_file_is_there_already(ledger: Ledger) -> None:
    mirror(ledger)

    assert decision(ledger, FILE) == ("already", "")


@pytest.mark.parametrize(
    ("next_try_at", "expected"),
    [
        pytest.param(None, ("fetch", "due"), id="no time set"),
        pytest.param(BEFORE, ("fetch", "due"), id="past"),
        pytest.param(NOON, ("fetch", "due"), id="now"),
        pytest.param(SOON, ("held", "stalled"), id="future"),
    ],
)
def test_a_held_file_is_fetched_when_it_is_due(
    ledger: Ledger, next_try_at: datetime | None, expected: tuple[str, str]
) -> None:
    record(ledger, Decision.HELD, reason="stalled", detail="No byte.", next_try_at=next_try_at)

    assert decision(ledger, FILE) == expected


def test_a_held_file_says_when_and_why(ledger: Ledger) -> None:
    record(ledger, Decision.HELD, reason="stalled", detail="No byte.", next_try_at=SOON)

    (outcome,) = outcomes(planned(ledger, FILE))

    assert outcome == Outcome(FILE, Decision.HELD, "stalled", "No byte.", next_try_at=SOON)


@pytest.mark.parametrize("settle", [Decision.MIRRORED, Decision.QUARANTINED])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"stored_bytes": 7}, id="size"),
        pytest.param({"archived_at": NOON + timedelta(days=1)}, id="archivedDate"),
        pytest.param({"modified_at": NOON + timedelta(days=1)}, id="modifyDate"),
        pytest.param({"stored_bytes": 7, "modified_at": None}, id="size, and modifyDate lost"),
    ],
)
def test_a_settled_file_is_fetched_once_when_its_row_changed(
    ledger: Ledger, settle: Decision, changes: dict[str, Any]
) -> None:
    record(ledger, settle, reason="truncated-file", key="k", sha256="ab", size_bytes=60_000)
    newer = replace(FILE, **changes)
    ledger.record_listed([newer], run_id=RUN, now=NOON)

    assert decision(ledger, newer) == ("fetch", "re-archived")
    assert "60000 bytes" in planned(ledger, newer)["detail"][0]
    mirror(ledger, newer)
    assert decision(ledger, newer) == ("already", "")


@pytest.mark.parametrize("at_first", [None, FILE.archived_at], ids=["none yet", "as archivedDate"])
def test_a_file_listed_before_its_modify_date_was_set_is_fetched_once_more_and_not_for_ever(
    ledger: Ledger, at_first: datetime | None
) -> None:
    early = replace(FILE, modified_at=at_first)
    mirror(ledger, early)

    assert decision(ledger, FILE) == ("fetch", "re-archived")
    mirror(ledger, FILE)
    assert decision(ledger, FILE) == ("already", "")
    assert decision(ledger, early) == ("already", "")


@pytest.mark.parametrize(
    "unchanged",
    [
        pytest.param({"archived_at": None, "modified_at": None}, id="times lost"),
        pytest.param({"stored_bytes": None}, id="size lost"),
        pytest.param({"modified_at": FILE.archived_at}, id="older answer"),
        pytest.param({"row": {"path": "another"}}, id="moved inside the archive"),
    ],
)
def test_a_row_that_says_less_or_looks_older_is_no_change(ledger: Ledger, unchanged: dict[str, Any]) -> None:
    mirror(ledger)

    assert decision(ledger, replace(FILE, **unchanged)) == ("already", "")


def test_a_size_that_was_unknown_is_held_against_the_measured_one(ledger: Ledger) -> None:
    unknown = replace(FILE, stored_bytes=None)
    record(ledger, Decision.MIRRORED, unknown, key="k", sha256="ab", size_bytes=500)

    assert decision(ledger, replace(FILE, stored_bytes=500)) == ("already", "")
    assert decision(ledger, replace(FILE, stored_bytes=501)) == ("fetch", "re-archived")


def test_a_quarantined_file_stays_with_its_reason(ledger: Ledger) -> None:
    record(ledger, Decision.QUARANTINED, reason="truncated-file", detail="Cut.", key="q", sha256="ab")

    frame = planned(ledger, FILE)

    assert decision(ledger, FILE) == ("quarantined", "truncated-file")
    assert frame["detail"][0] == "Cut."
    assert to_record(frame) == ()


def test_a_gone_file_that_is_listed_again_is_fetched(ledger: Ledger) -> None:
    record(ledger, Decision.GONE, reason="vanished")

    assert decision(ledger, FILE) == ("fetch", "listed-again")


def test_widening_a_filter_fetches_what_it_left_out(ledger: Ledger) -> None:
    assert decision(ledger, FILE, TXT_ONLY) == ("filtered", "extension")
    record(ledger, Decision.FILTERED, reason="extension")

    assert decision(ledger, FILE, TXT_ONLY) == ("filtered", "extension")
    assert decision(ledger, FILE) == ("fetch", "selected")


def test_filtering_is_no_way_round_the_next_try(ledger: Ledger) -> None:
    record(ledger, Decision.HELD, reason="stalled", next_try_at=SOON)
    record(ledger, Decision.FILTERED, reason="extension")

    assert decision(ledger, FILE) == ("held", "stalled")
    ledger.record_many(to_record(planned(ledger, FILE)), run_id=RUN, now=NOON)
    (known,) = ledger.entries(DEVICE).to_dict("records")
    assert (known["state"], known["attempts"], known["next_try_at"]) == ("held", 1, SOON)


def test_a_mirrored_file_that_a_filter_leaves_out_is_there_already(ledger: Ledger) -> None:
    mirror(ledger)

    frame = planned(ledger, FILE, selection=TXT_ONLY)

    assert decision(ledger, FILE, TXT_ONLY) == ("already", "")
    assert to_record(frame) == ()


def test_a_quarantined_file_that_a_filter_leaves_out_is_quarantined_as_the_ledger_has_it(ledger: Ledger) -> None:
    record(ledger, Decision.QUARANTINED, reason="not-hdf5", sha256="ab", key="q")

    assert decision(ledger, FILE, TXT_ONLY) == ("quarantined", "not-hdf5")


def test_a_mirrored_file_that_changed_and_is_not_wanted_keeps_its_mirrored_version(ledger: Ledger) -> None:
    mirror(ledger)
    changed = replace(FILE, stored_bytes=FILE.stored_bytes + 1 if FILE.stored_bytes else 1)

    frame = planned(ledger, changed, selection=TXT_ONLY)

    assert frame["decision"].tolist() == ["filtered"]
    assert to_record(frame) == ()


@pytest.mark.parametrize(
    "name",
    ["../x.hdf5", "a/b.hdf5", "..", "", "a\x00.hdf5", "a\n.hdf5", "a\\b.hdf5", "x" * 300 + ".hdf5", "\ud800.hdf5"],
    ids=range(9),
)
def test_a_name_that_cannot_be_a_key_is_quarantined(ledger: Ledger, name: str) -> None:
    assert decision(ledger, replace(FILE, filename=name)) == ("quarantined", "bad-name")


def test_a_file_without_any_date_has_no_key(ledger: Ledger) -> None:
    undated = replace(FILE, filename="notes.hdf5", begins_at=None)

    assert decision(ledger, undated) == ("quarantined", "bad-name")
    assert decision(ledger, replace(FILE, begins_at=None)) == ("fetch", "new")


def test_a_row_of_another_device_is_quarantined_and_does_not_hurt_that_device(ledger: Ledger) -> None:
    stray = archive_file(device_code="ANOTHER")
    ledger.record_listed([stray], run_id=RUN, now=NOON, device_code=DEVICE)

    frame = planned(ledger, FILE, stray, device_code=DEVICE)
    ledger.record_many(to_record(frame), run_id=RUN, now=NOON)

    assert dict(zip(frame["device_code"], frame["reason"], strict=True)) == {DEVICE: "new", "ANOTHER": "wrong-device"}
    assert ledger.entries("ANOTHER")["state"].tolist() == ["quarantined"]
    own = planned(ledger, stray, device_code="ANOTHER")
    assert own[["decision", "reason"]].to_numpy().tolist() == [["fetch", "selected"]]


def test_of_differing_rows_the_one_touched_last_wins(ledger: Ledger) -> None:
    newest = replace(FILE, modified_at=NOON + timedelta(days=1), stored_bytes=1)

    frame = planned(ledger, FILE, newest, replace(FILE, modified_at=None, archived_at=None), archive_file(1))

    assert files_from_frame(frame) == (newest, archive_file(1))


def test_an_empty_listing_is_an_empty_plan_with_the_same_types(ledger: Ledger) -> None:
    empty, full = planned(ledger), planned(ledger, FILE)

    assert len(empty) == 0
    assert empty.dtypes.equals(full.dtypes)
    assert outcomes(empty) == to_record(empty) == ()
    assert len(pd.concat([empty, full])) == 1
