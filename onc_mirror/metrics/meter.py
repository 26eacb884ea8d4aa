"""What runs count while they work. A count costs some microseconds; nothing is written until it is handed over."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from onc_mirror.ledger.counters import Series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from onc_mirror.errors import TransientError
    from onc_mirror.ledger.counters import Counters
    from onc_mirror.model import Outcome

FILES = "files"
BYTES = "bytes"
RETRIES = "retries"
STAGE_RUNS = "stage_runs"
STAGE_SECONDS = "stage_seconds"
ASKED_AT = "asked_at"


class Stage(StrEnum):
    """What a file goes through."""

    LIST = "list"
    DOWNLOAD = "download"
    VALIDATE = "validate"
    PUBLISH = "publish"


class Meter:
    """The counts of a process since they were handed over last. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: defaultdict[Series, float] = defaultdict(float)
        self._marks: dict[Series, float] = {}

    @contextmanager
    def timing(self, stage: Stage) -> Iterator[None]:
        """Count an attempt at a stage, whether it succeeds or not, and the seconds that it takes."""
        began = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            self._add({Series(STAGE_RUNS, kind=stage): 1, Series(STAGE_SECONDS, kind=stage): seconds})

    def ended(self, outcome: Outcome) -> None:
        """Count a file that was worked on, and the bytes that were transferred."""
        code = outcome.file.device_code
        self._add({Series(FILES, code, outcome.decision): 1, Series(BYTES, code): outcome.size_bytes})

    def repeated(self, error: TransientError) -> None:
        """Count something that is tried again."""
        self._add({Series(RETRIES, kind=error.reason): 1})

    def asked(self, device_code: str, now: datetime) -> None:
        """Note that the archive is asked what is new of a device."""
        with self._lock:
            self._marks[Series(ASKED_AT, device_code)] = now.timestamp()

    def hand_over(self, counters: Counters) -> None:
        """Write everything that was counted since the last time to the ledger.

        Raises:
            LedgerUnavailableError: It does not take them; they are kept for the next time.
        """
        with self._lock:
            counts, marks = self._counts, self._marks
            self._counts, self._marks = defaultdict(float), {}
        try:
            counters.raise_to(marks)
            marks = {}
            counters.add(counts)
            counts = defaultdict(float)
        finally:
            self._add(counts)
            with self._lock:
                self._marks = marks | self._marks

    def _add(self, counts: dict[Series, float]) -> None:
        with self._lock:
            for series, number in counts.items():
                self._counts[series] += number
