"""Beginning a run from the parameters that a deployment, or a person in the UI, gives."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from onc_mirror.backfill.spanning import BackfillRequest
from onc_mirror.reconcile.story import ReconcileRequest
from onc_mirror.run.gathering import MirrorRequest
from onc_mirror.selection import Selection
from onc_mirror.settings import MirrorSettings
from onc_mirror.utc import as_utc


def hourly_request(
    since: datetime | None = None, until: datetime | None = None, devices: list[str] | None = None
) -> MirrorRequest:
    """What the hourly run is asked for; a time without a zone is UTC."""
    begin, end = (None if time is None else as_utc(time) for time in (since, until))
    return MirrorRequest(since=begin, until=end, devices=tuple(devices or ()))


def reconcile_request(  # noqa: PLR0913 - the parameters of a deployment
    since: datetime | None,
    until: datetime | None,
    days: int,
    devices: list[str] | None,
    *,
    dry_run: bool,
    force: bool,
) -> ReconcileRequest:
    """What a reconcile is asked for; a time without a zone is UTC."""
    begin, end = (None if time is None else as_utc(time) for time in (since, until))
    return ReconcileRequest(begin, end, days, tuple(devices or ()), dry_run=dry_run, force=force)


def backfill_request(  # noqa: PLR0913 - the parameters of a deployment
    settings: MirrorSettings,
    since: datetime,
    until: datetime | None,
    *,
    devices: list[str] | None,
    products: list[str] | None,
    extensions: list[str] | None,
    only: Literal["failed"] | None,
) -> BackfillRequest:
    """What a backfill is asked for; a time without a zone is UTC."""
    selection = None
    if products or extensions:
        wanted = [part.lstrip(".").lower() for part in extensions or settings.extensions]
        selection = Selection(extensions=frozenset(wanted), products=frozenset(products) if products else None)
    return BackfillRequest(
        as_utc(since),
        None if until is None else as_utc(until),
        devices=tuple(devices or ()),
        selection=selection,
        only_failed=only is not None,
    )
