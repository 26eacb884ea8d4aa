"""What is sent to a store: the file in scratch, and ranges of it as bodies of requests."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from onc_mirror.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from io import BufferedReader

    from onc_mirror.model import Fetched

# Large enough that the event loop is not woken for crumbs, small enough that 64 uploads take 16 MiB.
CHUNK_BYTES = 256 * 2**10


class Slice:
    """Bytes `begin` to `begin + size` of a file, for botocore to send. Memory: one chunk.

    botocore measures and rewinds it through `seek` and `tell`; aiohttp takes it as an asynchronous iterator. Reads
    block the event loop for the time of one chunk, which for a file just written is a copy from memory.
    """

    def __init__(self, file: BinaryIO, begin: int, size: int) -> None:
        self._file = file
        self._begin = begin
        self._size = size
        self._moved = time.monotonic()
        self.seek(0)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to `offset` from the begin (0), here (1) or the end (2) of the slice."""
        base = (0, self.tell() if whence == 1 else 0, self._size)[whence]
        self._moved = time.monotonic()
        return self._file.seek(self._begin + base + offset) - self._begin

    def tell(self) -> int:
        """Return the offset from the begin of the slice."""
        return self._file.tell() - self._begin

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes, all that is left when it is negative or None."""
        left = max(self._size - self.tell(), 0)
        self._moved = time.monotonic()
        return self._file.read(left if size is None or size < 0 else min(size, left))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := self.read(CHUNK_BYTES):
            yield chunk

    def stalled_s(self) -> float:
        """Return for how long nobody has wanted the next byte; 0 once all of them are handed over."""
        return 0.0 if self.tell() >= self._size else time.monotonic() - self._moved


@contextmanager
def opened(fetched: Fetched, key: str) -> Iterator[BufferedReader]:
    """Open a file in scratch.

    Raises:
        StoreUnavailableError: It cannot be opened or read.
    """
    try:
        with fetched.path.open("rb") as file:
            yield file
    except OSError as error:
        raise changed_in_scratch(fetched, key, f"cannot be read in scratch ({error.strerror})") from None


def changed_in_scratch(
    fetched: Fetched, key: str, how: str = "is not in scratch what was downloaded"
) -> StoreUnavailableError:
    """Return the error that says that a file is no longer what was downloaded."""
    return StoreUnavailableError(
        f"{fetched.path.name} {how}; it was not stored. If this goes on, check the scratch disk.", subject=key
    )
