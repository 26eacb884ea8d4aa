"""Instants in UTC: the one rule for a time without a zone, and the one spelling. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def as_utc(time: datetime) -> datetime:
    """Return `time` in UTC; one without a zone is UTC already, as ONC knows no other.

    >>> as_utc(datetime(2026, 11, 22, 6)).isoformat()
    '2026-11-22T06:00:00+00:00'

    Raises:
        OverflowError: Its zone moves it beyond all times.
    """
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def time_text(time: datetime, precision: str = "auto") -> str:
    """Return an instant in ISO 8601, UTC, with `Z`.

    Args:
        time: With a zone.
        precision: As for `datetime.isoformat`.

    >>> time_text(datetime(2026, 11, 22, 6, tzinfo=UTC))
    '2026-11-22T06:00:00Z'
    """
    return time.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def text_or_none(time: datetime | None) -> str | None:
    """Return an instant as `time_text` does, None for none."""
    return None if time is None else time_text(time)


def time_or_none(text: str | None) -> datetime | None:
    """Return the instant that `text_or_none` wrote, None for none.

    Raises:
        ValueError: It is no time.
    """
    return None if text is None else as_utc(datetime.fromisoformat(text))
