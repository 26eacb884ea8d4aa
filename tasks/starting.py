"""Beginning a run from the parameters that a deployment, or a person in the UI, gives."""

from __future__ import annotations

from datetime import UTC, datetime

from onc_mirror.gathering import MirrorRequest


def hourly_request(
    since: datetime | None = None, until: datetime | None = None, devices: list[str] | None = None
) -> MirrorRequest:
    """What the hourly run is asked for; a time without a zone is UTC."""
    return MirrorRequest(since=_utc(since), until=_utc(until), devices=tuple(devices or ()))


def _utc(time: datetime | None) -> datetime | None:
    if time is None:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
