"""Which windows of archive time a run may list: where each begins and ends, and how long one may be. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from onc_mirror.errors import SettingsError
from onc_mirror.model import TimeWindow

FIRST_WINDOW = timedelta(hours=1)
"""From how far back a device is listed for the first time."""

LONGEST_WINDOW = timedelta(days=31)
"""What a run asks of a device at most: all its rows are in memory, some 3 kB each with their plan and report."""

_MOMENT = timedelta(minutes=10)


def end_of_windows(since: datetime | None, until: datetime | None, latest: datetime) -> datetime:
    """Where every window of a run ends, UTC, exclusive.

    Args:
        since: Begin of the window that is asked for, if it has one.
        until: Its end, if it has one.
        latest: The archive's time: nothing can have been archived later.

    Raises:
        SettingsError: What is asked for is longer than `LONGEST_WINDOW`.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    >>> end_of_windows(noon - LONGEST_WINDOW, None, noon + timedelta(seconds=1)).isoformat()
    '2026-11-22T12:00:01+00:00'
    """
    end = min(until or latest, latest)
    # `--since P31D` was 31 days when it was read, a moment ago.
    if since is not None and end - since > LONGEST_WINDOW + _MOMENT:
        raise SettingsError(
            f"A run takes what was archived in at most {LONGEST_WINDOW.days} days, and {since:%Y-%m-%d} to"
            f" {end:%Y-%m-%d} are {(end - since).days}. Take a shorter window, or `onc-mirror backfill`, which goes"
            " through any range of days of data."
        )
    return end


def device_window(
    watermark: datetime | None, overlap: timedelta, since: datetime | None, until: datetime
) -> TimeWindow:
    """The window of one device: from where it is asked for, else from behind its watermark.

    After an outage of months it ends `LONGEST_WINDOW` after its begin, and the next run goes on from there.

    >>> from datetime import UTC, datetime, timedelta
    >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    >>> device_window(None, timedelta(hours=1), None, noon).since.hour
    10
    >>> device_window(noon - timedelta(days=2), timedelta(hours=1), None, noon).since.isoformat()
    '2026-11-20T11:00:00+00:00'
    >>> device_window(noon - timedelta(days=365), timedelta(hours=1), None, noon).until.isoformat()
    '2025-12-23T11:00:00+00:00'

    Also with the longest overlap that the settings allow, it ends behind the watermark:

    >>> device_window(noon - timedelta(days=3), timedelta(days=30), None, noon).until.isoformat()
    '2026-11-20T12:00:00+00:00'

    Raises:
        SettingsError: The window asked for has no length.
    """
    if since is not None:
        if since >= until:
            raise SettingsError(f"The window begins at {since}, when it is over: {until}.")
        return TimeWindow(since, until)
    begin = (watermark or until - FIRST_WINDOW) - overlap
    if begin >= until:  # the clock went back, or the window asked for ends before the watermark
        begin = until - FIRST_WINDOW - overlap
    return TimeWindow(begin, min(until, begin + LONGEST_WINDOW))
