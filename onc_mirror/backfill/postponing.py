"""Files that another run has claimed: a backfill comes back to them at its end, when that run is done, or known dead.

So a backfill that is started again right after it was killed is whole at its end, and of two at the same time neither
leaves behind what the other has just begun.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from onc_mirror.errors import ClaimLostError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onc_mirror.backfill.slicing import Slice
    from onc_mirror.model import Outcome

ROUNDS = 8
"""How often in the time of a lease they are looked at again: each time costs a listing per slice."""


class Postponed:
    """What is to be looked at again. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Slice, tuple[Outcome, ...]]] = []

    def without_claimed(self, one: Slice, ends: Sequence[Outcome]) -> tuple[Outcome, ...]:
        """Return `ends` without those of files that another run has claimed, and remember these."""
        claimed = tuple(end for end in ends if end.reason == ClaimLostError.reason)
        if claimed:
            with self._lock:
                self._waiting.append((one, claimed))
        return tuple(end for end in ends if end.reason != ClaimLostError.reason)

    def take(self) -> tuple[tuple[Slice, tuple[Outcome, ...]], ...]:
        """Return what was remembered, and forget it."""
        with self._lock:
            waiting, self._waiting = tuple(self._waiting), []
        return waiting
