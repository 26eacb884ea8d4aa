"""Times and durations as people write them, resolved to instants; spans as whole days. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import isodate

from onc_mirror.durations import parse_duration
from onc_mirror.errors import SettingsError
from onc_mirror.model import TimeWindow
from onc_mirror.utc import as_utc, time_text


def resolve_window(since: str | None, until: str | None, *, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Resolve two ends, each an ISO 8601 time, a date (midnight UTC) or a duration.

    A duration as `since` reaches back from `until` (from now when there is none), its sign does not matter; a
    duration as `until` reaches on from `since`. A time without a zone is UTC.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    >>> resolve_window("PT6H", None, now=noon)[0].hour
    6
    >>> resolve_window("2026-11-01", "P2D", now=noon)[1].isoformat()
    '2026-11-03T00:00:00+00:00'

    Raises:
        SettingsError: Not a time, both ends are durations, or the window ends before it begins.
    """
    try:
        begin, end = _resolve(since, until, now)
    except OverflowError:
        raise SettingsError(f"The window is beyond all times: {since} .. {until or 'now'}.") from None
    if begin is not None and end is None and begin >= now:
        raise SettingsError(
            f"There are no data yet: the window begins at {time_text(begin)}, and it is {time_text(now)}."
        )
    if begin is not None and begin >= (end or now):
        raise SettingsError(f"The window ends before it begins: {time_text(begin)} .. {time_text(end or now)}.")
    return begin, end


def future_note(until: datetime | None, now: datetime) -> str | None:
    """What people should know of an end that has not come yet.

    >>> future_note(datetime(2027, 1, 1, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC))
    '2027-01-01T00:00:00Z has not come yet: what there is by now is taken.'
    """
    if until is None or until <= now:
        return None
    return f"{time_text(until, 'seconds')} has not come yet: what there is by now is taken."


def whole_days(since: datetime, until: datetime) -> TimeWindow:
    """The days that a span touches, from midnight to midnight, UTC.

    >>> from datetime import UTC
    >>> days = whole_days(datetime(2026, 11, 20, 6, tzinfo=UTC), datetime(2026, 11, 22, 0, 1, tzinfo=UTC))
    >>> days.since.isoformat(), days.until.isoformat()
    ('2026-11-20T00:00:00+00:00', '2026-11-23T00:00:00+00:00')

    Raises:
        ValueError: The span has no length.
    """
    begin, end = _midnight(since), _midnight(until)
    if end < until.astimezone(UTC):
        end += timedelta(days=1)
    return TimeWindow(begin, end)


def _resolve(since: str | None, until: str | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    begin, end = _parse(since, "--since"), _parse(until, "--until")
    if isinstance(end, timedelta):
        if not isinstance(begin, datetime):
            raise SettingsError(f"--until {until}: a duration here needs a time as --since.")
        end = begin + abs(end)
    if isinstance(begin, timedelta):
        begin = (end or now) - abs(begin)
    return begin, end


def _parse(text: str | None, option: str) -> datetime | timedelta | None:
    if text is None:
        return None
    try:
        if text.lstrip("+-").upper().startswith("P"):
            duration: timedelta = parse_duration(text.lstrip("+-").upper())
            return duration
        time = isodate.parse_datetime(text) if "T" in text else datetime.fromisoformat(text)
    except (ValueError, isodate.ISO8601Error):
        raise SettingsError(
            f"{option} {text!r} is neither an ISO 8601 time such as 2026-11-22T06:00Z nor a duration such as PT6H."
        ) from None
    return as_utc(time)


def _midnight(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
