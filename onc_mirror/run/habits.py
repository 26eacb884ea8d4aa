"""Whether a listing is what a device usually gives. Pure.

Restricted data look like an empty list, and a broken pager like a short one (facts: the archive answers 200 to both),
so a listing far below the device's habit is not believed: its rows are taken, but the watermark stays and the
run says so.

Two signs. Rows that the ledger knows to lie in the window must be listed again; a few may have vanished from the
archive, not many, and not all, unless each of them is asked for (`doubting`). And the number of rows is held against
that of every earlier window of the same length: a device whose files come once a day had empty hours before, so an
empty hour is no surprise there.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from onc_mirror.model import TimeWindow

HISTORY = timedelta(days=14)
"""How far back the habit is looked for."""

_FEWEST_WINDOWS = 3
_FEWEST_ROWS = 8
_FAR_SHORTER = 4
_MANY_MISSING = 3


def lacks_too_many(listed: int, missing: int) -> str | None:
    """Say that too many known files are missing from a listing, or None.

    Args:
        listed: Rows in the listing.
        missing: Files that must be in it, by what is known of them, and are not.
    """
    if missing < (max(_MANY_MISSING, listed / _FAR_SHORTER) if listed else 1):
        return None
    return (
        f"{missing} files that were listed before are not listed now; {listed} are. If they are gone for good,"
        " `onc-mirror reconcile` enters that."
    )


def falls_short(listed: int, archived: Sequence[datetime], window: TimeWindow) -> str | None:
    """Say that a listing is far shorter than the device's habit, or None.

    Args:
        listed: Rows in the listing.
        archived: Archive times of the device's known files, sorted; at least those of `HISTORY`.
        window: The window of archive time that was listed.
    """
    usual = least_usual(archived, window)
    if usual is None or usual < _FEWEST_ROWS or listed * _FAR_SHORTER >= usual:
        return None
    hours = (window.until - window.since).total_seconds() / 3600
    return f"It lists {listed} files; no {hours:.1f} hours of the days before had less than {usual}."


def least_usual(archived: Sequence[datetime], window: TimeWindow) -> int | None:
    """The fewest rows in any earlier window of this length; None when there are too few to speak of a habit.

    The earlier windows lie in the fortnight before this one's end and before its begin, each a quarter of its length
    after the one before.
    """
    length = window.until - window.since
    first = bisect_left(archived, window.until - HISTORY)
    if first == len(archived):
        return None
    begin, end = archived[first], window.since
    if end - begin < _FEWEST_WINDOWS * length:
        return None
    steps = int((end - begin - length) / (length / 4))
    starts = [end - length - step * (length / 4) for step in range(steps + 1)]
    return min(bisect_left(archived, start + length) - bisect_left(archived, start) for start in starts)
