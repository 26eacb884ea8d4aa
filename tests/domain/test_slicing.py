"""Slices of a range of data: they partition it, whatever it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.backfill.slicing import DAY, count_slices, cut_parts, cut_slices
from onc_mirror.windows import whole_days
from tests.support.archive_files import archive_file, bounded

moments = st.datetimes(
    datetime(2006, 1, 1),  # noqa: DTZ001 - the zone is given
    datetime(2036, 1, 1),  # noqa: DTZ001 - the zone is given
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-8)), timezone(timedelta(hours=5, minutes=45))]),
)
spans = st.builds(
    lambda since, length: (since, since + length),
    moments,
    st.timedeltas(timedelta(microseconds=1), timedelta(days=60)),
)
device_codes = st.lists(st.sampled_from([f"DEVICE{number:03}" for number in range(9)]), min_size=1, unique=True)


@bounded
@given(spans, device_codes)
def test_slices_cover_the_days_of_a_span_without_gap_or_overlap(
    span: tuple[datetime, datetime], codes: list[str]
) -> None:
    days = whole_days(*span)

    slices = list(cut_slices(codes, days))

    assert len(slices) == count_slices(codes, days) > 0
    for code in codes:
        windows = sorted((one.window.since, one.window.until) for one in slices if one.device_code == code)
        assert windows[0][0] == days.since <= span[0]
        assert windows[-1][1] == days.until >= span[1]
        assert all(end == begin for (_, end), (begin, _) in pairwise(windows))


@bounded
@given(spans)
def test_a_slice_is_one_day_from_midnight_to_midnight_in_utc(span: tuple[datetime, datetime]) -> None:
    for one in cut_slices(["A"], whole_days(*span)):
        assert one.window.since.tzinfo is UTC
        assert one.window.since.time() == one.window.until.time() == datetime.min.time()
        assert one.window.until - one.window.since == DAY


@bounded
@given(spans, moments)
def test_a_file_is_in_the_one_slice_in_which_its_data_begin(span: tuple[datetime, datetime], begin: datetime) -> None:
    days = whole_days(*span)
    begins_at = begin.astimezone(UTC)
    file = archive_file(begins_at=begins_at, ends_at=begins_at + timedelta(days=3))

    homes = [one for one in cut_slices([file.device_code], days) if one.has(file)]

    assert len(homes) == (days.since <= begins_at < days.until)


@bounded
@given(spans, device_codes, st.integers(1, 400))
def test_parts_have_the_same_slices_and_none_has_too_many(
    span: tuple[datetime, datetime], codes: list[str], most: int
) -> None:
    days = whole_days(*span)

    parts = list(cut_parts(codes, days, most))

    assert all(0 < count_slices(part.device_codes, part.window) <= most for part in parts)
    inside = [one for part in parts for one in cut_slices(part.device_codes, part.window)]
    assert len(inside) == count_slices(codes, days)
    assert set(inside) == set(cut_slices(codes, days))


def test_the_newest_days_come_first() -> None:
    days = whole_days(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC))

    assert [one.window.since.day for one in cut_slices(["A"], days)] == [5, 4, 3, 2, 1]
    assert [str(part) for part in cut_parts(["A", "B"], days, 5)] == [
        "2026-01-04 to 2026-01-05, 2 devices",
        "2026-01-02 to 2026-01-03, 2 devices",
        "2026-01-01 to 2026-01-01, 2 devices",
    ]


def test_a_row_without_a_begin_belongs_to_the_day_in_its_name_else_wherever_it_is_listed() -> None:
    days = whole_days(datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC))
    named, nameless = archive_file(begins_at=None), archive_file(begins_at=None, filename="notes.txt")

    slices = list(cut_slices([named.device_code], days))

    assert [one.window.since.day for one in slices if one.has(named)] == [22]
    assert [one.window.since.day for one in slices if one.has(nameless)] == [23, 22, 21]


def test_a_span_without_length_has_no_days() -> None:
    noon = datetime(2026, 11, 22, tzinfo=UTC)

    with pytest.raises(ValueError, match="begin before it ends"):
        whole_days(noon, noon)


def test_ten_years_are_cut_without_being_held() -> None:
    days = whole_days(datetime(2016, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))

    first = next(iter(cut_slices([f"D{number}" for number in range(10)], days)))

    assert str(first) == "D0 2025-12-31"
    assert count_slices([f"D{number}" for number in range(10)], days) == 36_530
