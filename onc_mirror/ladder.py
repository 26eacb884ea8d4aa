"""When a file that failed is tried again: a ladder of growing pauses, and quarantine at its end. Pure.

A step up is taken for what the file itself does wrong. When the archive, the store or this machine is down, no
file is to blame: it waits for the next run, and a fortnight without a network quarantines nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from onc_mirror.model import Decision

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from onc_mirror.model import Outcome

_UNFINISHED = frozenset({Decision.HELD, Decision.FAILED})


def climb(outcome: Outcome, attempts: int, delays: Sequence[timedelta], *, now: datetime) -> Outcome:
    """Say when an unfinished file is tried again, or that it is not.

    Args:
        outcome: How this attempt ended.
        attempts: How many earlier ones ended so.
        delays: The pause after the first, second, ... attempt.
        now: When this attempt ended, UTC.

    Returns:
        `outcome` with `next_try_at`; quarantined with the same reason when there is no further step; unchanged when
        it is neither held nor failed, or no fault of the file.
    """
    if outcome.decision not in _UNFINISHED or not outcome.blames_file:
        return outcome
    if attempts < len(delays):
        return replace(outcome, next_try_at=now + delays[attempts])
    detail = (
        f"{outcome.detail} Given up after {attempts + 1} attempts, until the archive's row changes or you say retry."
    )
    return replace(outcome, decision=Decision.QUARANTINED, detail=detail.lstrip())
