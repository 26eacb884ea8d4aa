from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from onc_mirror.errors import SettingsError
from onc_mirror.windows import resolve_window

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "begin", "end"),
    [
        (None, None, None, None),
        ("PT6H", None, NOON - timedelta(hours=6), None),
        ("-PT6H", None, NOON - timedelta(hours=6), None),
        ("P2D", "2026-11-20", NOON - timedelta(days=4, hours=12), NOON - timedelta(days=2, hours=12)),
        ("2026-11-20T06:00", None, NOON - timedelta(days=2, hours=6), None),
        ("2026-11-20T06:00:00.000Z", "PT1H", NOON - timedelta(days=2, hours=6), NOON - timedelta(days=2, hours=5)),
        ("2026-11-20T08:00+02:00", None, NOON - timedelta(days=2, hours=6), None),
    ],
)
def test_times_dates_and_durations_become_instants(
    since: str | None, until: str | None, begin: datetime | None, end: datetime | None
) -> None:
    assert resolve_window(since, until, now=NOON) == (begin, end)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("yesterday", None),
        ("PT", None),
        ("P1M", None),
        ("2026-13-01", None),
        (None, "PT6H"),
        ("PT6H", "PT6H"),
        ("2026-11-22", "2026-11-21"),
        ("2027-01-01", None),
        ("P99999999D", None),
        ("P999999999999D", None),
        ("2026-11-20", "P99999999D"),
        ("0001-01-01T00:00+10:00", None),
        ("P", None),
        ("T", None),
        ("", None),
        ("2026-11-22T25:00", None),
    ],
)
def test_what_is_no_window_is_refused_in_one_line(since: str | None, until: str | None) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_window(since, until, now=NOON)

    assert "\n" not in str(caught.value)
