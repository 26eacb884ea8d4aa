"""Whether the mirror lives, by its ledger alone: no archive, no bucket, no orchestrator, no network needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from onc_mirror.flow_names import HOURLY
from onc_mirror.utc import time_text
from onc_mirror.wording import duration_text

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from onc_mirror.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Liveness:
    """Whether the mirror lives.

    Attributes:
        alive: Whether an hourly run ended well lately, or one is at work.
        detail: What is known of that, in one line.
    """

    alive: bool
    detail: str


def liveness(ledger: Ledger, within: timedelta, now: datetime) -> Liveness:
    """Say whether an hourly run ended within a time without a failure, or one that gives signs of life is at work.

    Raises:
        LedgerUnavailableError: The ledger cannot be read.
    """
    last = next((flow for flow in ledger.vitals.flows(now) if flow.flow == HOURLY), None)
    success = last.last_success_at if last else None
    good = f"last good run ended at {time_text(success, 'seconds')}" if success else "no run has ended well yet"
    if success is not None and now - success <= within:
        return Liveness(alive=True, detail=f"Alive: the {good}.")
    if (at_work := ledger.vitals.at_work(HOURLY, now)) is not None:
        run_id, since = at_work
        detail = f"Alive: run {run_id} is at work since {time_text(since, 'seconds')}; {good}."
        return Liveness(alive=True, detail=detail)
    ended = last.last_end_at if last else None
    tried = f"; the last to end at all did at {time_text(ended, 'seconds')}" if ended and ended != success else ""
    span = duration_text(within.total_seconds())
    return Liveness(alive=False, detail=f"Not alive for {span}: {good}{tried}. See 'onc-mirror status'.")
