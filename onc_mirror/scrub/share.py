"""How much one scrub reads, and which objects: pure.

What was never read back comes first, soon after its upload. Then the object whose last proof is oldest, and so on,
until the run has had its share: what one run a day must read so that every object is read within the days that the
settings give, and whatever would become too old before tomorrow's run. A budget of bytes bounds it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.wording import size_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from onc_mirror.ledger.readings import ProvenBytes, Stock

_BETWEEN_RUNS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Share:
    """What one run is to read.

    Attributes:
        wanted_bytes: New objects, and the run's share of the others.
        budget_bytes: The most it may read.
        days: Within which every object is to be read.
        days_needed: In how many days the budget reads everything once, at one run a day.
    """

    wanted_bytes: int
    budget_bytes: int
    days: int
    days_needed: int

    @property
    def bytes(self) -> int:
        """What this run reads, but for the last object, of which it reads all."""
        return min(self.wanted_bytes, self.budget_bytes)

    @property
    def postponed_bytes(self) -> int:
        """What the budget leaves to the next runs."""
        return self.wanted_bytes - self.bytes

    @property
    def shortage(self) -> str:
        """What is to be said when the budget cannot reach everything in time; else empty."""
        if self.days_needed <= self.days:
            return ""
        return (
            f"A budget of {size_text(self.budget_bytes)} a run reads everything only once in {self.days_needed} days"
            f" and not in {self.days}, at one run a day. Raise ONC_MIRROR_SCRUB_BUDGET to"
            f" {size_text(math.ceil(self.budget_bytes * self.days_needed / self.days))} or"
            " ONC_MIRROR_SCRUB_DAYS."
        )


def due_before(now: datetime, days: int) -> datetime:
    """The moment before which an object must have been proven last to be due now, not tomorrow.

    >>> from datetime import UTC, datetime
    >>> due_before(datetime(2026, 11, 22, tzinfo=UTC), 90).isoformat()
    '2026-08-25T00:00:00+00:00'
    """
    return now - timedelta(days=days) + _BETWEEN_RUNS


def share_of(stock: Stock, *, days: int, budget_bytes: int) -> Share:
    """Return what one run is to read of a stock.

    Args:
        stock: What there is.
        days: Within which every object is to be read.
        budget_bytes: The most that one run may read; at least 1.
    """
    old = max(math.ceil((stock.bytes - stock.unread_bytes) / days), stock.due_bytes)
    return Share(stock.unread_bytes + old, budget_bytes, days, math.ceil(stock.bytes / budget_bytes))


def taking(share: Share) -> Callable[[ProvenBytes], bool]:
    """Return what says of one object after the other, oldest first, whether this run still reads it.

    The first is read whatever its size, or an object larger than the budget never would be.
    """
    taken: list[int] = [0, 0]

    def wants(found: ProvenBytes) -> bool:
        count, size = taken
        if count and (size >= share.bytes or size + found.size_bytes > share.budget_bytes):
            return False
        taken[:] = count + 1, size + found.size_bytes
        return True

    return wants
