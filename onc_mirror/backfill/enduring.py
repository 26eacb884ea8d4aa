"""When a run over many slices gives up: not for one bad slice, but when nothing works any more."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onc_mirror.report.document import DeviceError

MOST_IN_A_ROW = 5
"""Slices that fail wholly, one after the other: each has had its slow retries, so that is many minutes."""


class Endurance:
    """Sees how the slices end. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._cause: DeviceError | None = None
        self._passed_over = 0

    def note(self, cause: DeviceError | None) -> None:
        """A slice ended; with the cause when nothing in it could be done."""
        with self._lock:
            self._in_a_row = self._in_a_row + 1 if cause else 0
            if self._in_a_row >= MOST_IN_A_ROW:
                self._cause = cause

    def passes_over(self) -> bool:
        """Say whether to leave the next slice alone, and count it if so."""
        with self._lock:
            if self._cause is None:
                return False
            self._passed_over += 1
            return True

    @property
    def surrender(self) -> tuple[DeviceError, int] | None:
        """Why the rest was left alone, and how many slices that is; None when nothing was."""
        with self._lock:
            return None if self._cause is None else (self._cause, self._passed_over)
