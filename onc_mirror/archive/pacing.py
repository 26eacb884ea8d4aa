"""Asking the archive no faster than a given rate.

Not a library: the rate changes with every slot that a backfill takes or gives back, which those at hand cannot do.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from onc_mirror.archive import Archive
    from onc_mirror.archive.availability import Counted
    from onc_mirror.archive.discovery import Deployment, KnownDevice, Product
    from onc_mirror.archive.port import ReadableBody
    from onc_mirror.model import ArchiveFile, Listing, TimeWindow

T = TypeVar("T")


class Pacer:
    """Lets threads pass one after the other, at even distances. Thread-safe."""

    def __init__(self, rate_per_s: Callable[[], float], sleep: Callable[[float], object] = time.sleep) -> None:
        """Begin.

        Args:
            rate_per_s: How many may pass per second at this moment; more than 0.
            sleep: Waits so many seconds.
        """
        self._rate_per_s = rate_per_s
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_at = 0.0

    def wait(self) -> None:
        """Wait for the caller's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next_at)
            self._next_at = turn + 1 / self._rate_per_s()
        if turn > now:
            self._sleep(turn - now)


class PacedArchive:
    """An archive that waits for its turn before each request for a listing or a file.

    Pages after the first of a listing, and the quick repeats of a request that failed, have pauses of their own.
    """

    def __init__(self, archive: Archive, wait: Callable[[], None]) -> None:
        self._archive = archive
        self._wait = wait

    def list_files(
        self,
        device_code: str,
        *,
        archived: TimeWindow | None = None,
        data: TimeWindow | None = None,
        extension: str | None = None,
    ) -> Listing:
        """See `Archive`."""
        self._wait()
        return self._archive.list_files(device_code, archived=archived, data=data, extension=extension)

    def still_lists(self, file: ArchiveFile) -> bool:
        """See `Archive`."""
        self._wait()
        return self._archive.still_lists(file)

    def count_files(self, device_code: str, window: TimeWindow) -> tuple[Counted, ...]:
        """See `Archive`."""
        self._wait()
        return self._archive.count_files(device_code, window)

    def deployments(self, device_code: str) -> tuple[Deployment, ...]:
        """See `Archive`."""
        self._wait()
        return self._archive.deployments(device_code)

    def products(self, device_code: str) -> tuple[Product, ...]:
        """See `Archive`."""
        self._wait()
        return self._archive.products(device_code)

    def devices(self, *, code: str) -> tuple[KnownDevice, ...]:
        """See `Archive`."""
        self._wait()
        return self._archive.devices(code=code)

    def measure_clock(self) -> timedelta:
        """See `Archive`."""
        return self._archive.measure_clock()

    def open_file(self, filename: str) -> AbstractContextManager[ReadableBody]:
        """See `Archive`."""
        self._wait()
        return self._archive.open_file(filename)

    def repeat_quickly(self, call: Callable[[], T]) -> T:
        """See `Archive`."""
        return self._archive.repeat_quickly(call)
