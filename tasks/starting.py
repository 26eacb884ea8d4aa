"""Beginning a run."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect import task

from onc_mirror import gathering
from onc_mirror.gathering import MirrorRequest, Run
from onc_mirror.mirror import Mirror
from tasks.policy import UNCACHED, safely


@task(name="start-run", **UNCACHED)
@safely
def start_run(mirror: Mirror, *, since: datetime | None, until: datetime | None, devices: list[str] | None) -> Run:
    """Fix the run's moment and note in the ledger that it began."""
    request = MirrorRequest(since=_utc(since), until=_utc(until), devices=tuple(devices or ()))
    return gathering.begin_run(mirror, request)


def _utc(time: datetime | None) -> datetime | None:
    if time is None:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
