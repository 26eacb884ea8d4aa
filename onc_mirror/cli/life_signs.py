"""What a run says of itself where nobody sees a bar: in nohup's file, in cron's mail, in a service's journal.

Lines of the log, in its format: one when it begins, one when it is known how many devices are asked, then how far the
run is, every half minute at first and every ten minutes in a run of days.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from onc_mirror.threads import repeating
from onc_mirror.transfer.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

EVERY_S = 30.0
_LONGEST_S = 600.0
_SHARE = 0.05


def pause_s(elapsed_s: float, shortest_s: float = EVERY_S) -> float:
    """Seconds until the next line, after so many of the run.

    >>> pause_s(0), pause_s(3600), pause_s(86400)
    (30.0, 180.0, 600.0)
    """
    return min(max(shortest_s, _SHARE * elapsed_s), max(shortest_s, _LONGEST_S))


class LifeSigns(Progress):
    """Watches a run and logs how far it is. Thread-safe."""

    def __init__(self, command: str, every_s: float = EVERY_S) -> None:
        """Begin to watch.

        Args:
            command: What runs.
            every_s: Seconds between two lines, at first.
        """
        super().__init__()
        self._command, self._every_s = command, every_s
        self._began = time.monotonic()
        self._due_s = 0.0
        self._is_planned = False

    def asked(self, devices: int) -> None:
        """Say so."""
        logger.info("running=%s devices=%d", self._command, devices)

    def planned(self, files: int, size_bytes: int) -> None:
        """Begin the transfers, or some more."""
        super().planned(files, size_bytes)
        self._is_planned = True

    def speak(self) -> None:
        """Say how far it is, when that is due."""
        elapsed_s = time.monotonic() - self._began
        if elapsed_s >= self._due_s:
            self._due_s = elapsed_s + pause_s(elapsed_s, self._every_s) - self._every_s / 2  # it is asked so often
            logger.info("progress=%r", self.sentence(elapsed_s) if self._is_planned else "Nothing is planned yet.")


@contextmanager
def life_signs(command: str, store_url: str, *, is_wanted: bool, every_s: float = EVERY_S) -> Iterator[LifeSigns]:
    """Log how far a run is until the block ends.

    Args:
        command: What runs.
        store_url: Where the files go.
        is_wanted: Whether also where the log is not.
        every_s: Seconds between two lines, at first.
    """
    signs = LifeSigns(command, every_s)
    before = logger.level
    if is_wanted:
        logger.setLevel(logging.INFO)
    logger.info("begun=%s store=%s", command, store_url)
    try:
        with repeating(signs.speak, every_s, "life signs"):
            yield signs
    finally:
        logger.setLevel(before)
