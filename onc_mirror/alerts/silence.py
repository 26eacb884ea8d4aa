"""How long a device may bring nothing before that is strange, learned from when its files came. Pure.

By archive time, so that how late its files usually reach the archive is in it. What counts is the longest pause that
is usual: a device that brings a day's files in one go pauses for a day. A pause that came once, while the device
worked for three times as long besides, was an outage and no habit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

HISTORY = timedelta(days=30)
"""How far back the habit is looked for, from the last file."""

LEAST = timedelta(hours=3)
"""No device is silent sooner: runs come by the hour, and one may fail."""

_LEAST_HISTORY = timedelta(days=2)
_SLACK = 1.5
_RUN = timedelta(hours=1)
_MUCH_LONGER = 2
_OUTAGE_SHARE = 3


@dataclass(frozen=True, slots=True)
class Silence:
    """A device that brings nothing.

    Attributes:
        since: When the archive took in its last file, UTC.
        patience: After how long that is strange.
    """

    since: datetime
    patience: timedelta


def learned_patience(archived: Sequence[datetime]) -> timedelta | None:
    """How long a device may bring nothing; None when too little is known of it.

    Args:
        archived: When the archive took in its files, sorted; those of `HISTORY` before the last.

    >>> from datetime import UTC, datetime
    >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    >>> str(learned_patience([noon + timedelta(days=day, minutes=file) for day in range(9) for file in range(50)]))
    '1 day, 11:46:30'
    """
    if len(archived) < 2 or archived[-1] - archived[0] < _LEAST_HISTORY:  # noqa: PLR2004 - a pause has two ends
        return None
    return max(LEAST, _SLACK * _usual_pause(archived) + _RUN)


def silence_of(watermark: datetime, newest: datetime, patience: timedelta | None) -> Silence | None:
    """Say that a device is silent, or None.

    Args:
        watermark: Up to when all that the archive took in of it is known.
        newest: When the last of that came.
        patience: How long it may bring nothing; None when nobody knows.
    """
    if patience is None or watermark - newest <= patience:
        return None
    return Silence(newest, patience)


def _usual_pause(archived: Sequence[datetime]) -> timedelta:
    pauses = sorted((later - earlier for earlier, later in pairwise(archived)), reverse=True)
    span = archived[-1] - archived[0]
    for longest, next_longest in pairwise(pauses):
        was_outage = longest > _MUCH_LONGER * next_longest and span - longest >= _OUTAGE_SHARE * longest
        if not was_outage:
            return longest
        span -= longest
    return pauses[-1]
