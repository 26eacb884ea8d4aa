"""How far a run is; of one over many slices also while nobody knows yet how much the later ones hold."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from onc_mirror.model import Decision
from onc_mirror.transfer.batch import NoWatcher, Watcher
from onc_mirror.wording import counted, duration_text, size_text

if TYPE_CHECKING:
    from onc_mirror.model import Outcome

_WITHOUT_BYTES = frozenset({Decision.ALREADY, Decision.FAILED, Decision.GONE})


class SliceWatcher(Watcher, Protocol):
    """Somebody who wants to see the progress of a run over many slices. Called from several threads."""

    def begun(self, slices: int) -> None:
        """There are so many slices."""

    def ended(self) -> None:
        """A slice more came to its end."""


class NoSliceWatcher(NoWatcher):
    """Nobody watches."""

    def begun(self, slices: int) -> None:
        """Do nothing."""

    def ended(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class _Counts:
    files: int = 0
    done: int = 0
    bytes: int = 0
    came: int = 0
    slices: int = 0
    listed: int = 0
    ended: int = 0


class Progress:
    """Counts what comes; a watcher of runs. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = _Counts()

    def asked(self, devices: int) -> None:
        """Do nothing: it is files that are counted."""

    def begun(self, slices: int) -> None:
        """There are so many slices."""
        with self._lock:
            self._counts.slices = slices

    def planned(self, files: int, size_bytes: int) -> None:
        """A slice more is listed, with so many files and bytes to transfer."""
        with self._lock:
            self._counts.files += files
            self._counts.bytes += size_bytes
            self._counts.listed += 1

    def advanced(self, size_bytes: int) -> None:
        """So many bytes more came in; negative when a download starts over."""
        with self._lock:
            self._counts.came += size_bytes

    def concluded(self, outcome: Outcome) -> None:
        """A file came to its end; the bytes of one that will not come are waited for no longer."""
        with self._lock:
            self._counts.done += 1
            if outcome.decision in _WITHOUT_BYTES:
                self._counts.bytes -= outcome.file.expected_bytes or 0

    def ended(self) -> None:
        """A slice more came to its end."""
        with self._lock:
            self._counts.ended += 1

    def merged(self, slices: int, files: int, size_bytes: int) -> None:
        """Another run did so many slices, in which it transferred so many files and bytes."""
        with self._lock:
            self._counts.listed += slices
            self._counts.ended += slices
            self._counts.files += files
            self._counts.done += files
            self._counts.bytes += size_bytes
            self._counts.came += size_bytes

    @property
    def bytes_came(self) -> int:
        """Bytes that came in."""
        with self._lock:
            return self._counts.came

    @property
    def bytes_expected(self) -> int:
        """Bytes in all: of the slices that are listed, and as many in each of the others."""
        with self._lock:
            return self._expected()

    @property
    def share(self) -> float:
        """How much of the work is done, from 0 to 1: of the bytes, of the slices where there are none to transfer."""
        with self._lock:
            expected, counts = self._expected(), self._counts
            if expected > 0:
                return min(1.0, max(0.0, counts.came / expected))
            return counts.ended / counts.slices if counts.slices else 0.0

    def remaining_s(self, elapsed_s: float) -> float | None:
        """Seconds that it will take from now, after so many; None while nothing is done."""
        share = self.share
        return elapsed_s * (1 - share) / share if share else None

    def label(self) -> str:
        """Files, and slices when there are several."""
        with self._lock:
            counts = self._counts
            text = f"{counts.done} of {counted(counts.files, 'file')}"
            return (
                f"{text}, {min(counts.ended, counts.slices)} of {counts.slices} days of devices"
                if counts.slices > 1
                else text
            )

    def sentence(self, elapsed_s: float) -> str:
        """All of it, for people."""
        remaining = self.remaining_s(elapsed_s)
        left = "" if remaining is None else f"; about {duration_text(remaining)} left"
        return (
            f"{self.label()}, {size_text(max(0, self.bytes_came))} of about {size_text(self.bytes_expected)}{left}."
        )

    def total(self) -> str:
        """What came, for people, when nothing more will come."""
        return f"{self.label()}, {size_text(max(0, self.bytes_came))}."

    def _expected(self) -> int:
        counts = self._counts
        if not counts.listed:
            return 0
        return max(counts.bytes, counts.bytes * counts.slices // counts.listed)
