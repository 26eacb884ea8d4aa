"""HDF5 files that are written once and then given out as many: a template, and what differs from file to file.

All files of one kind have the same size. They differ in the 8-byte attributes of the root (times, file ids) and in
the chunks of the `time` datasets. A template knows where these are, so that a file is its template with a few
ranges replaced, checksums of the HDF5 metadata included.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from infra.sandbox.archive.body import Body, Computed, Memory, OnDisk, Piece
from infra.sandbox.archive.checksum import deflate_stored, lookup3

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

SUPERBLOCK: Final = 48
_FLAGS_AT: Final = 11
IN_MEMORY: Final = 512 * 1024
WRITE_OPEN: Final = 0x01
SWMR_OPEN: Final = 0x05


@dataclass(frozen=True, slots=True)
class TimeChunk:
    """A chunk of times.

    Attributes:
        offset: Where its stored deflate stream begins.
        size: Bytes of the stream.
        rows: Values in the chunk, those beyond the end of the dataset included.
        first: Row of the first value.
        total: Rows of the dataset.
    """

    offset: int
    size: int
    rows: int
    first: int
    total: int

    def content(self, begin: float, seconds: float) -> bytes:
        """The stream for a file whose rows are spread evenly over `seconds` from `begin`."""
        step = seconds / self.total
        moments = np.arange(self.first, self.first + self.rows, dtype="<f8")
        moments *= step
        moments += begin + step / 2
        moments[max(0, self.total - self.first) :] = 0.0
        return deflate_stored(moments.tobytes())


@dataclass(frozen=True, slots=True)
class Template:
    """A file on disk that stands for all files of its kind.

    Attributes:
        path: The file.
        size: Its bytes, and those of every file made of it.
        stamps: Offsets of the 8-byte root attributes, by name.
        headers: Checksummed metadata blocks that hold them, as offset and length without the checksum.
        clocks: The chunks of times, by offset.
        payload: Offset and length of a compressed chunk of data near the middle.
    """

    path: Path
    size: int
    stamps: Mapping[str, int]
    headers: tuple[tuple[int, int], ...]
    clocks: tuple[TimeChunk, ...]
    payload: tuple[int, int]

    def save(self) -> None:
        """Write the description beside the file; its presence says that the file is whole."""
        description = asdict(self) | {"path": None}
        partial_path = self.path.with_suffix(".part.json")
        partial_path.write_text(json.dumps(description))
        partial_path.replace(self.path.with_suffix(".json"))

    @classmethod
    def load(cls, path: Path) -> Template | None:
        """The template at `path`, None when there is no whole one."""
        try:
            known: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
        except FileNotFoundError:
            return None
        if not path.exists() or path.stat().st_size != known["size"]:
            return None
        return cls(
            path=path,
            size=known["size"],
            stamps=known["stamps"],
            headers=tuple((start, length) for start, length in known["headers"]),
            clocks=tuple(TimeChunk(**clock) for clock in known["clocks"]),
            payload=(known["payload"][0], known["payload"][1]),
        )

    def body(self, stamps: Mapping[str, bytes], begin: float, seconds: float) -> Body:
        """The file with these attribute values (8 bytes each) whose times run for `seconds` from `begin`."""
        changes: list[tuple[int, Piece]] = [
            (clock.offset, Computed(partial(clock.content, begin, seconds), clock.size)) for clock in self.clocks
        ]
        changes += [(start, Memory(self._header(start, length, stamps))) for start, length in self.headers]
        if self.size > IN_MEMORY:
            return _overlay(OnDisk(self.path, 0, self.size), sorted(changes, key=lambda change: change[0]))
        content = bytearray(_small_file(self.path))
        for offset, piece in changes:
            content[offset : offset + piece.size] = piece.load()
        return Body((Memory(bytes(content)),))

    def _header(self, start: int, length: int, stamps: Mapping[str, bytes]) -> bytes:
        block = bytearray(_range(self.path, start, length))
        for name, offset in self.stamps.items():
            if start <= offset < start + length:
                block[offset - start : offset - start + 8] = stamps[name]
        return bytes(block) + struct.pack("<I", lookup3(bytes(block)))


@lru_cache(maxsize=256)
def _small_file(path: Path) -> bytes:
    return path.read_bytes()


@lru_cache(maxsize=4096)
def _range(path: Path, start: int, length: int) -> bytes:
    return OnDisk(path, start, length).load()


def still_open(body: Body, flags: int) -> Body:
    """The file as a crashed writer leaves it: `WRITE_OPEN` or `SWMR_OPEN` set in the superblock."""
    block = bytearray(body.cut(0, SUPERBLOCK - 4).load())
    block[_FLAGS_AT] |= flags
    return body.patched(0, bytes(block) + struct.pack("<I", lookup3(bytes(block))))


def _overlay(base: OnDisk, changes: Iterable[tuple[int, Piece]]) -> Body:
    pieces: list[Piece] = []
    position = 0
    for offset, piece in changes:
        if offset > position:
            pieces.append(base.cut(position, offset))
        pieces.append(piece)
        position = offset + piece.size
    if position < base.size:
        pieces.append(base.cut(position, base.size))
    return Body(tuple(pieces))
