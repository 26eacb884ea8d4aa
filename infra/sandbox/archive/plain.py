"""The products that are no HDF5: logs and tables of text with fixed-width lines, and raw bytes of detectors.

Everything is computed block by block when it is sent; nothing is kept on disk.
"""

from __future__ import annotations

import gzip
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np

from infra.sandbox.archive.body import Body, Computed, Memory, Piece
from infra.sandbox.archive.times import stamp

if TYPE_CHECKING:
    from infra.sandbox.archive.sea import SeaFile

_LINE: Final = 100
_BLOCK_LINES: Final = 8192
_HEAD: Final = 4 * _LINE
_DATE_HOUR: Final = 11  # characters of a stamp that are the same for all lines of a file: 20211011T00
_RAW_BLOCK: Final = 2**20


def text_body(file: SeaFile, size: int, seed: int) -> Body:
    """Lines of 100 bytes that begin with their time, below a head that names device, product and span.

    `size` is a multiple of 100 and at least 400.
    """
    head = "\n".join(
        line.ljust(_LINE - 1)
        for line in (
            f"# {file.line.device.code} {file.line.stream.product}",
            f"# begin {stamp(file.begin)}",
            f"# end {stamp(file.end)}",
            f"# {file.draw:016x}",
        )
    )
    pieces: list[Piece] = [Memory(f"{head}\n".encode("ascii"))]
    lines = (size - _HEAD) // _LINE
    hour = stamp(file.begin)[:_DATE_HOUR].encode()
    for start in range(0, lines, _BLOCK_LINES):
        count = min(_BLOCK_LINES, lines - start)
        pieces.append(Computed(partial(_dated, hour, seed, count), count * _LINE))
    return Body(tuple(pieces))


def text_gzip_size(size: int, seed: int) -> int:
    """What gzip makes of such a text, estimated from its first block."""
    lines = max(1, min(_BLOCK_LINES, (size - _HEAD) // _LINE))
    return round(size * _ratio(lines, seed))


def binary_body(file: SeaFile, size: int, seed: int) -> Body:
    """Random bytes below a head of 64 bytes that names device and begin. `size` is at least 64."""
    head = f"{file.line.device.code} {stamp(file.begin)} {file.draw:016x}".encode("ascii")[:63].ljust(63) + b"\n"
    pieces: list[Piece] = [Memory(head)]
    for start in range(0, size - len(head), _RAW_BLOCK):
        count = min(_RAW_BLOCK, size - len(head) - start)
        pieces.append(Computed(partial(_raw_block, seed), _RAW_BLOCK, 0, count))
    return Body(tuple(pieces))


def _dated(hour: bytes, seed: int, count: int) -> bytes:
    lines = np.frombuffer(_lines(seed, _BLOCK_LINES), "u1").reshape(-1, _LINE)[:count].copy()
    lines[:, :_DATE_HOUR] = np.frombuffer(hour, "u1")
    return lines.tobytes()


@lru_cache(maxsize=64)
def _lines(seed: int, count: int) -> bytes:
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.integers(0, 3_600_000, count))
    values = rng.integers(0, 100_000, (count, 4))
    return b"".join(
        f"YYYYMMDDTHH{ms // 60_000:02}{ms // 1000 % 60:02}.{ms % 1000:03}Z  {a:>8} {b:>8} {c:>8} {d:>8}".ljust(
            _LINE - 1
        ).encode("ascii")
        + b"\n"
        for ms, (a, b, c, d) in zip(seconds, values, strict=True)
    )


@lru_cache(maxsize=64)
def _ratio(lines: int, seed: int) -> float:
    sample = _lines(seed, _BLOCK_LINES)[: lines * _LINE]
    return len(gzip.compress(sample, 6, mtime=0)) / len(sample)


@lru_cache(maxsize=8)
def _raw_block(seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(_RAW_BLOCK)
