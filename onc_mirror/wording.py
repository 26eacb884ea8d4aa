"""What people are told in words, wherever they read it: terminal, Prefect, sandbox. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onc_mirror.model import TimeWindow

_UNIT = 1000.0
_UNITS = ("kB", "MB", "GB", "TB", "PB")
MOST_NAMES = 5
"""Files or devices that a sentence names, of however many."""


def size_text(size_bytes: float) -> str:
    """A size for people, decimal units.

    >>> size_text(24_000_000)
    '24.0 MB'
    >>> size_text(999_999)
    '1.0 MB'
    """
    if size_bytes < _UNIT:
        return f"{int(size_bytes)} B"
    power = 1
    while round(size_bytes / _UNIT**power, 1) >= _UNIT and power < len(_UNITS):
        power += 1
    return f"{size_bytes / _UNIT**power:.1f} {_UNITS[power - 1]}"


def counted(number: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "file"), counted(0, "file")
    ('1 file', '0 files')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def some_of(names: Sequence[str], *, most: int = MOST_NAMES, total: int | None = None) -> str:
    """The first names, and how many more there are.

    Args:
        names: All, or the first.
        most: How many are told.
        total: How many there are; None: as many as names.

    >>> some_of(["a", "b", "c"]), some_of(["a", "b", "c"], most=2), some_of(["a", "b"], total=5)
    ('a, b, c', 'a, b and 1 more', 'a, b and 3 more')
    """
    rest = (len(names) if total is None else total) - len(names[:most])
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def duration_text(seconds: float) -> str:
    """A duration for people, in its two largest units.

    >>> duration_text(42), duration_text(3600), duration_text(9000), duration_text(200_000)
    ('42 s', '1 h', '2 h 30 min', '2 d 7 h')
    """
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    days, hours = divmod(hours, 24)
    units = {"d": days, "h": hours, "min": 0 if days else minutes}
    return " ".join(f"{number} {unit}" for unit, number in units.items() if number)


def printable(text: str, *, keep: str = "") -> str:
    r"""Return `text` with all escaped that could move a cursor, hide something or is in no UTF-8.

    Archives list any bytes as names.

    Args:
        text: Whatever somebody wrote.
        keep: What stays as it is all the same, such as the ends of lines.

    >>> print(printable("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in keep else ascii(sign)[1:-1] for sign in text)


def shortened(text: str, most: int) -> str:
    """Return `text`, or its first `most` signs and that there is more.

    >>> shortened("far too long", 3), shortened("not", 3)
    ('far...', 'not')
    """
    return text if len(text) <= most else f"{text[:most]}..."


def days_text(days: TimeWindow) -> str:
    """Whole days of data.

    >>> from datetime import UTC, datetime
    >>> from onc_mirror.model import TimeWindow
    >>> days_text(TimeWindow(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)))
    'data of 2026-11-20 to 2026-11-22'
    """
    return f"data of {days.since:%Y-%m-%d} to {days.until - timedelta(days=1):%Y-%m-%d}"
