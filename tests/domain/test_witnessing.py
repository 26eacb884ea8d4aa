"""What the archive lists against what it counts: agreement within what changed meanwhile, and every disagreement."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.archive import Counted
from onc_mirror.frames import listing_frame
from onc_mirror.model import TimeWindow
from onc_mirror.reconcile.witnessing import counted_files, disagreements, short_spans
from tests.support.archive_files import BEGIN, archive_file, bounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onc_mirror.model import ArchiveFile

DAY = timedelta(days=1)
MIDNIGHT = BEGIN.replace(hour=0)
WINDOW = TimeWindow(MIDNIGHT - DAY, MIDNIGHT + 2 * DAY)


def counts(files: Sequence[ArchiveFile], *, days: int = 1) -> list[Counted]:
    """What a truthful archive counts, in spans of so many days."""
    found: dict[tuple[str, str, datetime], list[ArchiveFile]] = {}
    for file in files:
        if file.begins_at is not None:
            since = WINDOW.since + (file.begins_at - WINDOW.since) // (days * DAY) * days * DAY
            found.setdefault((file.product_code or "", file.extension, since), []).append(file)
    return [
        Counted(
            *key,
            key[2] + days * DAY,
            len(some),
            sum(file.stored_bytes or 0 for file in some),
            sum(file.uncompressed_bytes or 0 for file in some),
        )
        for key, some in found.items()
    ]


_numbers = st.sets(st.integers(-200, 500), max_size=8)


@bounded
@given(numbers=_numbers, days=st.sampled_from([1, 3]))
def test_a_listing_agrees_with_what_a_truthful_archive_counts_by_any_span(numbers: set[int], days: int) -> None:
    files = [archive_file(number, product_code="LF" if number % 2 else None) for number in numbers]

    truth = counts(files, days=days)

    assert disagreements(listing_frame(files), truth, truth, WINDOW) == ()
    assert counted_files(truth) == len(files)


@pytest.mark.parametrize("lost", [0, 1])
def test_a_row_that_the_listing_lost_is_told_with_its_place(lost: int) -> None:
    files = [archive_file(0), archive_file(1)]
    truth = counts(files)

    (found,) = disagreements(listing_frame(files[: 1 - lost]), truth, truth, WINDOW)

    assert (found.product_code, found.extension, found.since, found.until) == (
        "SMRD",
        "hdf5",
        MIDNIGHT,
        MIDNIGHT + DAY,
    )
    assert (found.listed.files, found.counted.files, found.counts_more) == (1 - lost, 2, True)
    assert list(short_spans([found])["since"]) == [MIDNIGHT]


def test_what_is_listed_of_a_day_that_is_not_counted_is_told() -> None:
    files = [archive_file(0), archive_file(300)]
    truth = counts(files[:1])

    (found,) = disagreements(listing_frame(files), truth, truth, WINDOW)

    assert (found.since, found.listed.files, found.counted.files) == (MIDNIGHT + DAY, 1, 0)
    assert not found.counts_more
    assert short_spans([found]).empty


def test_bytes_that_differ_are_a_disagreement_though_the_files_are_as_many() -> None:
    file = archive_file()
    truth = counts([file])

    (found,) = disagreements(listing_frame([replace(file, stored_bytes=1)]), truth, truth, WINDOW)

    assert (found.listed.stored_bytes, found.counted.stored_bytes) == (1, file.stored_bytes)
    assert not found.counts_more


def test_sizes_that_nobody_tells_are_no_disagreement() -> None:
    file = replace(archive_file(), stored_bytes=None, uncompressed_bytes=None)
    silent = [replace(one, stored_bytes=None) for one in counts([archive_file()])]

    assert disagreements(listing_frame([file]), counts([archive_file()]), silent, WINDOW) == ()


def test_a_file_that_arrives_between_the_counts_is_no_disagreement() -> None:
    files = [archive_file(0), archive_file(1)]
    before, after = counts(files[:1]), counts(files)

    for listed in (files[:1], files):
        assert disagreements(listing_frame(listed), before, after, WINDOW) == ()
    assert disagreements(listing_frame([]), before, after, WINDOW)


def test_counts_that_reach_out_of_the_window_prove_nothing() -> None:
    file = archive_file()
    wide = [replace(one, since=WINDOW.since - DAY) for one in counts([file])]

    (found,) = disagreements(listing_frame([file]), wide, wide, WINDOW)

    assert found.counted.files == 0


def test_rows_of_one_span_are_added_up() -> None:
    """A device that was moved within a day may be counted at each of its places."""
    files = [archive_file(0), archive_file(1)]
    apart = [*counts(files[:1]), *counts(files[1:])]

    assert disagreements(listing_frame(files), apart, apart, WINDOW) == ()


def test_files_of_other_days_and_without_time_are_not_counted() -> None:
    files = [archive_file(begins_at=None), archive_file(begins_at=datetime(2020, 1, 1, tzinfo=UTC))]

    assert disagreements(listing_frame(files), [], [], WINDOW) == ()
