"""Times as the API writes and reads them. Inside the stand-in a time is an int: milliseconds since the epoch, UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import isodate

SECOND: Final = 1000
HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
_MINUTE: Final = 60 * SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?Z)?")
_DURATION = re.compile(r"[+-]?P")


class DateError(ValueError):
    """A date parameter that the API does not accept."""


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch, rounded down."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def to_datetime(ms: int) -> datetime:
    """The moment as an aware `datetime`."""
    return _EPOCH + timedelta(milliseconds=ms)


def iso(ms: int) -> str:
    """As the API prints it: `2019-11-23T00:00:00.000Z`."""
    hour, rest = divmod(ms, HOUR)
    if not rest:
        return _full_hour(hour)
    return f"{_full_hour(hour)[:13]}:{rest // _MINUTE:02}:{rest // SECOND % 60:02}.{rest % SECOND:03}Z"


def stamp(ms: int) -> str:
    """As file names have it: `20191123T000000.000Z`."""
    return iso(ms).replace("-", "").replace(":", "")


@lru_cache(maxsize=2**16)
def _full_hour(hour: int) -> str:
    return f"{to_datetime(hour * HOUR):%Y-%m-%dT%H:00:00.000Z}"


def parse_moment(text: str) -> tuple[int, int]:
    """Read `yyyy-MM-dd` (midnight) or `yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`.

    Returns:
        The milliseconds, and the microseconds below them: the cursor of `dateFrom` paging, else 0.

    Raises:
        DateError: Neither form, or no such day.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise DateError(text)
    day, clock, fraction = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}+00:00")
    except ValueError:
        raise DateError(text) from None
    micros = int((fraction or "").ljust(6, "0"))
    return to_ms(moment) + micros // 1000, micros % 1000


def parse_range(begin: str | None, end: str | None, now: int) -> tuple[int | None, int | None, int]:
    """Read a pair of date parameters, either of which may be an ISO 8601 duration relative to the other.

    A duration whose other end is missing counts from `now`.

    Returns:
        Begin and end in milliseconds, None where absent, and the cursor of `parse_moment`.

    Raises:
        DateError: A form that is not known, or durations at both ends.
    """
    begin_relative, end_relative = _is_duration(begin), _is_duration(end)
    if begin_relative and end_relative:
        raise DateError(f"{begin} and {end}")
    cursor = 0
    first = last = None
    if begin is not None and not begin_relative:
        first, cursor = parse_moment(begin)
    if end is not None and not end_relative:
        last, _ = parse_moment(end)
    if begin is not None and begin_relative:
        first = _shift(last if last is not None else now, begin)
    if end is not None and end_relative:
        last = _shift(first if first is not None else now, end)
    return first, last, cursor


def _is_duration(text: str | None) -> bool:
    return text is not None and _DURATION.match(text) is not None


def _shift(ms: int, duration: str) -> int:
    try:
        return to_ms(to_datetime(ms) + isodate.parse_duration(duration))
    except (isodate.ISO8601Error, OverflowError):
        raise DateError(duration) from None
