"""Undoing `Content-Encoding: gzip` piece by piece, with bounds. Pure.

urllib3 could do it, but goes on reading while nothing comes out, for as long as empty blocks come in, and takes a
body that ends in the middle for a whole one.
"""

from __future__ import annotations

import zlib

_GZIP = 16 + zlib.MAX_WBITS
# What may come in without anything coming out: the head of a member can hold a name and a comment.
MOST_BARREN_BYTES = 2**20


class EncodingError(Exception):
    """The bytes are not gzip, or hold next to nothing."""


class Unzipper:
    """Decodes one body, of one member or several. Feed it, then take until nothing comes."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._left = b""
        self._excess = 0
        self._begun = False

    def feed(self, encoded: bytes) -> None:
        """Take in more of the body.

        Raises:
            EncodingError: Far more came in than went out, as no honest encoder has it.
        """
        if self._excess > MOST_BARREN_BYTES:
            raise EncodingError
        self._begun = True
        self._left += encoded
        self._excess += len(encoded)

    def take(self, amount: int) -> bytes:
        """Give out at most `amount` decoded bytes; none when more has to be fed first.

        Raises:
            EncodingError: The bytes are not gzip.
        """
        while True:
            if self._member.eof and self._left:
                self._member = zlib.decompressobj(_GZIP)
            try:
                piece = self._member.decompress(self._left, amount)
            except zlib.error:
                raise EncodingError from None
            self._left = self._member.unconsumed_tail or self._member.unused_data
            if piece or not self._left:
                self._excess = max(self._excess - 2 * len(piece), 0)
                return piece

    def finish(self) -> None:
        """Say that the body is over; one without any byte is empty, encoded or not.

        Raises:
            EncodingError: It ended in the middle.
        """
        if self._begun and not self._member.eof:
            raise EncodingError
