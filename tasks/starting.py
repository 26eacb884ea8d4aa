"""Beginning a run from the parameters that a deployment, or a person in the UI, gives."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from typing import Literal, cast

from prefect.blocks.system import Secret

from onc_mirror.backfill.spanning import BackfillRequest, data_days
from onc_mirror.errors import SettingsError
from onc_mirror.reconcile.story import ReconcileRequest
from onc_mirror.run.gathering import MirrorRequest
from onc_mirror.selection import Selection
from onc_mirror.settings import MirrorSettings, load_settings
from onc_mirror.settings.secrets import keep_secret
from onc_mirror.windows import future_note

logger = logging.getLogger(__name__)

MOST_DAYS = 366
"""Days of data that a backfill fetches without being told so in as many words: a leap year."""

TOKEN_BLOCK = "onc-token"  # noqa: S105 - a name
"""Name of the Secret block that has the archive token where the environment has none."""


def run_settings() -> MirrorSettings:
    """Read the settings of a run from the environment, and the token from Prefect where that has none.

    Raises:
        SettingsError: A setting is missing or wrong, or the Prefect server does not say whether it has the token.
    """
    if os.environ.get("ONC_TOKEN") or os.environ.get("ONC_TOKEN_FILE"):
        return load_settings()
    try:
        # A coroutine by its type, and never one outside of an event loop.
        token = str(cast("Secret[str]", Secret.load(TOKEN_BLOCK)).get()).strip()
    except ValueError:  # there is no such block; that the token is missing is told as everywhere
        return load_settings()
    except Exception as error:  # noqa: BLE001 - Prefect's client lets through whatever its transport raises
        kind = type(error).__name__
    else:
        keep_secret("ONC_TOKEN", token)
        return load_settings(token=token)
    raise SettingsError(
        f"ONC_TOKEN: is not set, and Prefect does not hand out its Secret block {TOKEN_BLOCK} ({kind})"
    )


def hourly_request(since: datetime | None, until: datetime | None, devices: list[str] | None) -> MirrorRequest:
    """What the hourly run is asked for."""
    _note_future(until)
    return MirrorRequest(since=since, until=until, devices=tuple(devices or ()))


def reconcile_request(  # noqa: PLR0913 - the parameters of a deployment
    since: datetime | None,
    until: datetime | None,
    days: int,
    devices: list[str] | None,
    *,
    dry_run: bool,
    force: bool,
) -> ReconcileRequest:
    """What a reconcile is asked for."""
    _note_future(until)
    return ReconcileRequest(since, until, days, tuple(devices or ()), dry_run=dry_run, force=force)


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
    """What a backfill is asked for."""
    _note_future(until)
    selection = None
    if products or extensions:
        wanted = [part.lstrip(".").lower() for part in extensions or settings.extensions]
        selection = Selection(extensions=frozenset(wanted), products=frozenset(products) if products else None)
    return BackfillRequest(
        since, until, devices=tuple(devices or ()), selection=selection, only_failed=only is not None
    )


def foresees_only(request: BackfillRequest, *, dry_run: bool | None, now: datetime) -> bool:
    """Say whether a backfill only looks at what it would fetch: when asked to, or when nobody said and it is large.

    Args:
        request: What it is asked for.
        dry_run: What was asked; None when nothing was.
        now: This moment, UTC.

    Raises:
        SettingsError: The range has no days.
    """
    days = data_days(request, now)
    return days.until - days.since > timedelta(days=MOST_DAYS) if dry_run is None else dry_run


def _note_future(until: datetime | None) -> None:
    if (note := future_note(until, datetime.now(UTC))) is not None:
        logger.warning("until=cut detail=%r", note)
