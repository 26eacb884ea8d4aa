"""Nothing is lost whatever the archive lists: the planner's invariants over any listings."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.frames import files_from_frame, listing_frame
from onc_mirror.model import Decision, Outcome
from onc_mirror.planning import RE_ARCHIVED, outcomes, plan, to_record
from onc_mirror.selection import Selection
from tests.support.archive_files import DEVICE, any_text, archive_file, archive_files, bounded

if TYPE_CHECKING:
    from onc_mirror.ledger import Ledger
    from onc_mirror.model import ArchiveFile

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOON = NOON + timedelta(minutes=1)
RUN = "20261122T120000-1"
TXT_OR_HDF5 = Selection(extensions=frozenset({"hdf5", "txt"}))

_devices = (f"DEVICE{number}" for number in count())


@pytest.fixture(autouse=True)
def _run(ledger: Ledger) -> None:
    ledger.start_run(RUN, "mirror-hour", NOON)


def planned(ledger: Ledger, device: str, files: list[ArchiveFile]) -> pd.DataFrame:
    return plan(listing_frame(files), ledger.entries(device), TXT_OR_HDF5, now=NOON, device_code=device)


_names = st.sampled_from([archive_file(number).filename for number in range(3)] + ["notes.txt", "../x"]) | any_text
_listings = st.lists(archive_files(_names), max_size=8)


@bounded
@given(files=_listings, seed=st.integers())
def test_the_order_of_the_listing_changes_nothing(ledger: Ledger, files: list[ArchiveFile], seed: int) -> None:
    shuffled = random.Random(seed).sample(files, len(files))  # noqa: S311 - not for secrets

    one, other = (planned(ledger, DEVICE, order) for order in (files, shuffled))

    pd.testing.assert_frame_equal(one, other)


@bounded
@given(files=_listings)
def test_every_distinct_file_is_decided_exactly_once(ledger: Ledger, files: list[ArchiveFile]) -> None:
    frame = planned(ledger, DEVICE, files)

    distinct = {(file.device_code, file.filename) for file in files}
    assert sorted(zip(frame["device_code"], frame["filename"], strict=True)) == sorted(distinct)
    assert set(frame["decision"]) <= {"fetch", "quarantined", "filtered"}
    assert len(outcomes(frame)) == (frame["decision"] != "fetch").sum()
    assert set(files_from_frame(frame)) <= set(files)


_ends = st.sampled_from(["mirrored", "held", "quarantined"])


@bounded
@given(files=_listings, ends=st.lists(_ends, min_size=8, max_size=8))
def test_a_plan_that_was_carried_out_leaves_nothing_to_fetch(
    ledger: Ledger, files: list[ArchiveFile], ends: list[str]
) -> None:
    device = next(_devices)
    files = [replace(file, device_code=device) for file in files]
    ledger.record_listed(files, run_id=RUN, now=NOON)

    first = planned(ledger, device, files)
    ledger.record_many(to_record(first), run_id=RUN, now=NOON)
    fetched = files_from_frame(first[first["decision"] == Decision.FETCH])
    for file, end in zip(fetched, ends, strict=False):
        outcome = Outcome(file, Decision(end), "r", key="k", sha256="ab", size_bytes=1, next_try_at=SOON)
        ledger.record(outcome, run_id=RUN, now=NOON)
    second = planned(ledger, device, files)

    assert Decision.FETCH not in set(second["decision"])
    assert to_record(second) == ()
    assert len(second) == len(first)


def test_planning_costs_microseconds_per_file(ledger: Ledger) -> None:
    files = [archive_file(number) for number in range(5_000)]
    frame = listing_frame(files)
    ledger.record_listed(files, run_id=RUN, now=NOON)
    entries = ledger.entries(DEVICE)

    began = time.process_time()
    decided = plan(frame, entries, TXT_OR_HDF5, now=NOON, device_code=DEVICE)

    assert len(decided) == 5_000
    assert time.process_time() - began < 0.25


_moments = st.sampled_from([None, NOON, SOON])
_versions = st.builds(
    lambda **fields: replace(archive_file(), **fields),
    archived_at=_moments,
    modified_at=_moments,
    stored_bytes=st.sampled_from([None, 1, 2]),
)


@bounded
@given(was=_versions, now_is=_versions)
def test_planner_and_ledger_agree_on_whether_a_row_has_changed(
    ledger: Ledger, was: ArchiveFile, now_is: ArchiveFile
) -> None:
    device = next(_devices)
    old, new = (replace(row, device_code=device) for row in (was, now_is))
    ledger.record(Outcome(old, Decision.FAILED, "stalled"), run_id=RUN, now=NOON)

    begins_anew = ledger.trials.of(new).failed == 0
    reason = planned(ledger, device, [new])["reason"].item()
    ledger.record(Outcome(new, Decision.FAILED, "stalled"), run_id=RUN, now=NOON)

    assert ledger.entries(device)["attempts"].item() == (1 if begins_anew else 2)
    if old.changed_at is not None or old.expected_bytes is not None:
        assert (reason == RE_ARCHIVED) == begins_anew
