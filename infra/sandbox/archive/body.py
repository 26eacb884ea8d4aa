"""Bytes of a file without holding them: a sequence of pieces of memory, of a file on disk, or computed when sent.

Immutable. Slicing and joining cost nothing, so that damage to a file of gigabytes is cheap, too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes at hand."""

    content: bytes

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    def cut(self, start: int, stop: int) -> Memory:
        """The piece from `start` to `stop`."""
        return Memory(self.content[start:stop])

    def load(self) -> bytes:
        """The bytes."""
        return self.content


@dataclass(frozen=True, slots=True)
class OnDisk:
    """A range of a file that does not change."""

    path: Path
    offset: int
    size: int

    def cut(self, start: int, stop: int) -> OnDisk:
        """The piece from `start` to `stop`."""
        return replace(self, offset=self.offset + start, size=stop - start)

    def load(self) -> bytes:
        """The bytes."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


@dataclass(frozen=True, slots=True)
class Computed:
    """Bytes made by a function whenever they are needed; a cut piece makes the whole and keeps its part."""

    make: Callable[[], bytes]
    whole: int
    offset: int = 0
    size: int = -1

    def __post_init__(self) -> None:
        if self.size < 0:
            object.__setattr__(self, "size", self.whole)

    def cut(self, start: int, stop: int) -> Computed:
        """The piece from `start` to `stop`."""
        return replace(self, offset=self.offset + start, size=stop - start)

    def load(self) -> bytes:
        """The bytes."""
        content = self.make()
        return content if self.size == self.whole else content[self.offset : self.offset + self.size]


Piece = Memory | OnDisk | Computed


@dataclass(frozen=True, slots=True)
class Body:
    """A sequence of bytes."""

    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(piece.size for piece in self.pieces)

    def __add__(self, other: Body) -> Body:
        return Body(self.pieces + other.pieces)

    def cut(self, start: int = 0, stop: int | None = None) -> Body:
        """The bytes from `start` to `stop`, both within the body."""
        end = self.size if stop is None else stop
        kept: list[Piece] = []
        position = 0
        for piece in self.pieces:
            low, high = max(start - position, 0), min(end - position, piece.size)
            if low < high:
                kept.append(piece if (low, high) == (0, piece.size) else piece.cut(low, high))
            position += piece.size
        return Body(tuple(kept))

    def patched(self, offset: int, content: bytes) -> Body:
        """With `content` in place of what was at `offset`; the size stays."""
        return self.cut(0, offset) + body_of(content) + self.cut(offset + len(content))

    def blocks(self) -> Iterator[bytes]:
        """The bytes, at most `BLOCK` at a time where they come from disk."""
        for piece in self.pieces:
            if isinstance(piece, OnDisk):
                for start in range(0, piece.size, BLOCK):
                    yield piece.cut(start, min(start + BLOCK, piece.size)).load()
            else:
                yield piece.load()

    def load(self) -> bytes:
        """All bytes; for files that fit into memory."""
        return b"".join(self.blocks())

    def sha256(self) -> str:
        """Hexadecimal hash of the bytes."""
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block)
        return digest.hexdigest()


def body_of(content: bytes) -> Body:
    """A body of these bytes."""
    return Body((Memory(content),) if content else ())
