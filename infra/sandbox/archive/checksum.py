"""Bob Jenkins' lookup3, the checksum of HDF5's metadata, and stored deflate streams: what in-place changes need."""

from __future__ import annotations

import struct
import zlib
from typing import Final

_M: Final = 0xFFFFFFFF
_STORED_BLOCK: Final = 65_535


def lookup3(block: bytes) -> int:
    """`hashlittle(block, 0)`, as HDF5 uses it for superblocks and object headers.

    Source: http://burtleburtle.net/bob/c/lookup3.c, byte-wise branch.
    """
    length = len(block)
    a = b = c = (0xDEADBEEF + length) & _M
    rounds = max(0, (length - 1) // 12)
    for x, y, z in struct.iter_unpack("<III", block[: rounds * 12]):
        a, b, c = (a + x) & _M, (b + y) & _M, (c + z) & _M
        a = ((a - c) & _M) ^ ((c << 4 | c >> 28) & _M)
        c = (c + b) & _M
        b = ((b - a) & _M) ^ ((a << 6 | a >> 26) & _M)
        a = (a + c) & _M
        c = ((c - b) & _M) ^ ((b << 8 | b >> 24) & _M)
        b = (b + a) & _M
        a = ((a - c) & _M) ^ ((c << 16 | c >> 16) & _M)
        c = (c + b) & _M
        b = ((b - a) & _M) ^ ((a << 19 | a >> 13) & _M)
        a = (a + c) & _M
        c = ((c - b) & _M) ^ ((b << 4 | b >> 28) & _M)
        b = (b + a) & _M
    rest = block[rounds * 12 :]
    if not rest:
        return c
    x, y, z = struct.unpack("<III", rest.ljust(12, b"\0"))
    return _final((a + x) & _M, (b + y) & _M, (c + z) & _M)


def _final(a: int, b: int, c: int) -> int:
    c = ((c ^ b) - (b << 14 | b >> 18)) & _M
    a = ((a ^ c) - (c << 11 | c >> 21)) & _M
    b = ((b ^ a) - (a << 25 | a >> 7)) & _M
    c = ((c ^ b) - (b << 16 | b >> 16)) & _M
    a = ((a ^ c) - (c << 4 | c >> 28)) & _M
    b = ((b ^ a) - (a << 14 | a >> 18)) & _M
    return ((c ^ b) - (b << 24 | b >> 8)) & _M


def deflate_stored(content: bytes) -> bytes:
    """`content` as a zlib stream without compression, whose size depends on the length alone."""
    parts: list[bytes | memoryview] = [b"\x78\x01"]
    view = memoryview(content)
    for start in range(0, len(content), _STORED_BLOCK):
        block = view[start : start + _STORED_BLOCK]
        final = start + _STORED_BLOCK >= len(content)
        parts += [struct.pack("<BHH", final, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*parts, struct.pack(">I", zlib.adler32(content))])
