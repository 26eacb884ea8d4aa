"""Which listings are believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.model import TimeWindow
from onc_mirror.run.habits import HISTORY, falls_short, lacks_too_many, least_usual

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
STEADY = [NOON - step * timedelta(minutes=5) for step in range(14 * 288, 0, -1)]
DAILY = [
    NOON.replace(hour=3) - day * timedelta(days=1) + file * timedelta(seconds=10)
    for day in range(13, -1, -1)
    for file in range(288)
]


def window(hours: float) -> TimeWindow:
    return TimeWindow(NOON - hours * HOUR, NOON)


def test_an_empty_hour_of_a_steady_device_is_not_believed() -> None:
    assert falls_short(0, STEADY, window(2)) == "It lists 0 files; no 2.0 hours of the days before had less than 24."


def test_a_first_page_alone_is_not_believed() -> None:
    assert falls_short(5, STEADY, window(2)) is not None


@pytest.mark.parametrize("listed", [6, 24, 500])
def test_somewhat_fewer_or_more_are_believed(listed: int) -> None:
    assert falls_short(listed, STEADY, window(2)) is None


def test_an_empty_hour_of_a_device_that_comes_once_a_day_is_believed() -> None:
    assert falls_short(0, DAILY, window(2)) is None


def test_an_empty_day_of_a_device_that_comes_once_a_day_is_not() -> None:
    assert falls_short(0, [time for time in DAILY if time < NOON - 30 * HOUR], window(30)) is not None


def test_known_files_that_are_not_listed_make_a_listing_unbelievable_without_any_habit() -> None:
    assert lacks_too_many(0, 3) == (
        "3 files that were listed before are not listed now; 0 are. If they are gone for good, `onc-mirror reconcile`"
        " enters that."
    )


@pytest.mark.parametrize(("listed", "missing"), [(1, 2), (13, 3), (400, 99)])
def test_a_few_files_may_vanish(listed: int, missing: int) -> None:
    assert lacks_too_many(listed, missing) is None


def test_the_only_known_file_missing_from_an_empty_listing_is_enough() -> None:
    assert lacks_too_many(0, 1) is not None


def test_a_new_device_has_no_habit() -> None:
    assert least_usual([], window(1)) is None
    assert least_usual(STEADY[-12:], window(1)) is None


def test_a_device_that_fell_silent_is_believed_once_the_silence_is_its_habit() -> None:
    silent_for = [hours for hours in range(1, 400) if falls_short(0, STEADY, TimeWindow(NOON, NOON + hours * HOUR))]

    assert silent_for == list(range(1, max(silent_for) + 1))
    assert 2 * 24 < max(silent_for) < 5 * 24


@given(
    times=st.lists(st.datetimes(datetime(2026, 10, 1), datetime(2026, 11, 23), timezones=st.just(UTC)), max_size=60),  # noqa: DTZ001 - the zone is given
    hours=st.floats(0.1, 300),
)
def test_the_habit_is_never_more_than_what_some_window_had(times: list[datetime], hours: float) -> None:
    archived = sorted(times)
    asked = window(hours)

    usual = least_usual(archived, asked)

    recent = [time for time in archived if asked.until - HISTORY <= time < asked.since]
    assert usual is None or 0 <= usual <= len(recent)
