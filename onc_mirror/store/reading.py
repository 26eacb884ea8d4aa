"""Reading an object while it comes in, as a file that cannot seek."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from onc_mirror.store.s3_bucket import Bucket


class ObjectReader(io.RawIOBase):
    """The body of a GET. Memory: what is asked for at once; the store waits while nothing is asked for.

    A connection that breaks or goes silent is a `StoreUnavailableError`, never a short read.
    """

    def __init__(self, bucket: Bucket, key: str, body: Any) -> None:
        super().__init__()
        self._bucket = bucket
        self._key = key
        self._body = body

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill `buffer` and return the number of bytes, fewer only at the end."""
        with memoryview(buffer).cast("B") as view:
            return self._bucket.run(lambda: self._fill(view), key=self._key)

    def close(self) -> None:
        """Drop the connection when there is more to come, else give it back."""
        if not self.closed:
            self._body.close()
        super().close()

    async def _fill(self, view: memoryview) -> int:
        filled = 0
        while filled < len(view) and (chunk := await self._body.read(len(view) - filled)):
            view[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
        return filled
