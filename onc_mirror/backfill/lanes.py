"""The share of the transfers that backfills may have, so that the hourly run always finds room.

The lane `backfill` has as many slots in the ledger as `ONC_MIRROR_BACKFILL_SHARE` of `ONC_MIRROR_CONCURRENCY` makes,
at least one. A backfill asks the archive and transfers only with a slot, one per thread, and each slot has an equal
part of `ONC_MIRROR_BACKFILL_REQUESTS_PER_S`; so all backfills that share the ledger keep within both, however many
processes they are. Live runs need no slot and never wait here.

The slots of a killed run are free again after its lease.
"""

from __future__ import annotations

import logging
import random
import threading
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING

from onc_mirror.archive.pacing import PacedArchive, Pacer
from onc_mirror.errors import MirrorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onc_mirror.mirror import Mirror
    from onc_mirror.settings import MirrorSettings

logger = logging.getLogger(__name__)

LANE = "backfill"

# Somebody else's slot is free again after a slice of seconds to minutes; each question is a write to the ledger. By
# chance, so that of several processes none is always the first to ask.
_ASK_AGAIN_S = (0.2, 1.0)


def count_slots(settings: MirrorSettings) -> int:
    """How many slots there are in all."""
    return max(1, int(settings.concurrency * settings.backfill_share))


class Lane:
    """One run's part of the lane. Thread-safe; `open_lane` makes it.

    Attributes:
        total: Slots that there are, in all processes together.
    """

    def __init__(self, mirror: Mirror, owner: str) -> None:
        self._mirror = mirror
        self._owner = owner
        self.total = count_slots(mirror.settings)
        self._turn = threading.Lock()
        self._queue = threading.Lock()
        self._held = 0
        self._spare = 0
        self._closed = threading.Event()
        self._pacer = Pacer(self.requests_per_s, self._closed.wait)

    def close(self) -> None:
        """Send home who still waits for a slot."""
        self._closed.set()

    def rest(self, seconds: float) -> None:
        """Wait so long, unless the lane is closed meanwhile."""
        self._closed.wait(seconds)

    def requests_per_s(self) -> float:
        """How many requests per second the slots that this run has now are good for."""
        return self._mirror.settings.backfill_requests_per_s * max(1, self._held) / self.total

    def pace(self) -> None:
        """Wait until the next request may go out."""
        self._pacer.wait()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a slot, and have it while the block runs.

        Raises:
            CancelledError: The lane was closed meanwhile.
            LedgerUnavailableError: The ledger is out of reach.
        """
        with self._queue:
            while not self._take(1):
                if self._closed.wait(random.uniform(*_ASK_AGAIN_S)):  # noqa: S311 - spreads load, guards nothing
                    raise CancelledError
        try:
            yield
        finally:
            self._give_back(1)

    @contextmanager
    def more_slots(self, wanted: int) -> Iterator[int]:
        """Have up to `wanted` further slots while the block runs, as many as are free now; gives their number."""
        taken = self._take(wanted) if wanted > 0 else 0
        try:
            yield taken
        finally:
            self._give_back(taken)

    def _take(self, wanted: int) -> int:
        with self._turn:
            taken = min(self._spare, wanted)
            if taken < wanted:
                now = self._mirror.clock()
                taken += self._mirror.ledger.leases.take_slots(
                    LANE,
                    wanted=wanted - taken,
                    total=self.total,
                    owner=self._owner,
                    until=now + self._mirror.settings.lease,
                    now=now,
                )
            self._spare -= min(self._spare, taken)
            self._held += taken
        return taken

    def _give_back(self, count: int) -> None:
        with self._turn:
            self._held -= count
            try:
                if count:
                    self._mirror.ledger.leases.return_slots(LANE, self._owner, count=count)
            except MirrorError as error:
                # They stay this run's in the ledger, so it may as well use them again.
                self._spare += count
                logger.warning("run=%s slots=not-returned detail=%r", self._owner, str(error))


@contextmanager
def open_lane(mirror: Mirror, owner: str) -> Iterator[tuple[Lane, Mirror]]:
    """Give the block a lane, and the mirror with an archive that is asked at the lane's pace.

    Args:
        mirror: The parts.
        owner: Whose slots they are: the run, whose heartbeat keeps them.
    """
    lane = Lane(mirror, owner)
    try:
        yield lane, mirror.asking(PacedArchive(mirror.archive, lane.pace))
    finally:
        lane.close()
