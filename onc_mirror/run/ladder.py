"""When a file that failed is tried again: a ladder of growing pauses, and quarantine at its end. Pure.

A step up is taken for what the file itself does wrong. When the archive, the store or this machine is down, no
file is to blame: it waits for the next run, and a fortnight without a network quarantines nothing.

Some outages look as if each file were at fault: downloads that are refused, or answered with a page, while listings
go on. So a file is given up only when others came while it did not; until then it stays on the last step.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.model import Decision

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from onc_mirror.model import Outcome

_UNFINISHED = frozenset({Decision.HELD, Decision.FAILED})


def climb(
    outcome: Outcome, attempts: int, delays: Sequence[timedelta], *, now: datetime, others_came: bool = True
) -> Outcome:
    """Say when an unfinished file is tried again, or that it is not.

    Args:
        outcome: How this attempt ended.
        attempts: How many earlier ones ended so.
        delays: The pause after the first, second, ... attempt.
        now: When this attempt ended, UTC.
        others_came: Whether other files were mirrored since the attempt before. It counts only at the end of the
            ladder (`is_at_end`), and not when the ladder has no steps.

    Returns:
        `outcome` with `next_try_at`; quarantined with the same reason when there is no further step; unchanged when
        it is neither held nor failed, or no fault of the file.
    """
    if not climbs(outcome):
        return outcome
    if attempts < len(delays):
        return replace(outcome, next_try_at=now + delays[attempts])
    if delays and not others_came:
        return replace(outcome, next_try_at=now + delays[-1])
    detail = (
        f"{outcome.detail} Given up after {attempts + 1} attempts, until the archive's row changes or you say retry."
    )
    return replace(outcome, decision=Decision.QUARANTINED, detail=detail.lstrip())


def climbs(outcome: Outcome) -> bool:
    """Whether an outcome takes its file a step up."""
    return outcome.decision in _UNFINISHED and outcome.blames_file


def is_at_end(attempts: int, delays: Sequence[timedelta]) -> bool:
    """Whether no pause is left after so many failed attempts and one more.

    >>> is_at_end(0, (timedelta(hours=1),)), is_at_end(1, (timedelta(hours=1),))
    (False, True)
    """
    return attempts >= len(delays)


def longest_pause(delays: Sequence[timedelta]) -> timedelta:
    """The longest that a file may have to wait: what waits longer was held by a clock that ran far ahead."""
    return max(delays, default=timedelta(0))
