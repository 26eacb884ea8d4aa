"""What the first bytes of an HDF5 file say about the whole, read without libhdf5.

The facts that the archive's broken files differ in (cut off, never closed, no HDF5 at all) are fields of the
superblock. Reading them here does not depend on the wording of libhdf5's errors, which changes with its version.

Source: HDF5 File Format Specification 3.0, II.A "Disk Format: Level 0A - Format Signature and Superblock".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from onc_mirror.model import HDF5_SIGNATURE

_FIRST_USER_BLOCK = 512
_LONGEST = 96
_OPEN_FOR_WRITE = 0x01
_OPEN_FOR_SWMR_WRITE = 0x04
_FIRST_VERSION_THAT_MARKS_WRITERS = 3
_WORDS = {2: "H", 4: "I", 8: "Q"}


@dataclass(frozen=True, slots=True)
class Superblock:
    """The fields that tell whether a file is whole and closed.

    Attributes:
        version: 0 to 3.
        end_bytes: Size that the file must have at least, or None when the field cannot be read.
        writing: Marked as open for writing, in any way.
        swmr: Marked as open for writing beside readers (single writer, multiple readers).
    """

    version: int
    end_bytes: int | None
    writing: bool = False
    swmr: bool = False


def read_superblock(path: str) -> Superblock | None:
    """Find the superblock of the file at `path`; None when there is no HDF5 signature.

    It is at byte 0 or, behind a user block, at 512, 1024, 2048 and so on.

    Raises:
        OSError: The file cannot be read at all.
    """
    with Path(path).open("rb", buffering=0) as file:
        size = file.seek(0, 2)
        offset = 0
        while offset < size:
            head = _read_at(file, offset)
            if head.startswith(HDF5_SIGNATURE):
                return _parse(head.ljust(_LONGEST, b"\0"), offset)
            offset = offset * 2 or _FIRST_USER_BLOCK
    return None


def _read_at(file: BinaryIO, offset: int) -> bytes:
    file.seek(offset)
    return file.read(_LONGEST)


def _parse(head: bytes, offset: int) -> Superblock:
    version = head[8]
    if version <= 1:
        word, begin = head[13], 24 if version == 0 else 28
        flags = 0
    else:
        word, begin = head[9], 12
        flags = head[11] if version >= _FIRST_VERSION_THAT_MARKS_WRITERS else 0
    return Superblock(
        version=version,
        end_bytes=_end(head, offset, begin, word),
        writing=bool(flags & _OPEN_FOR_WRITE),
        swmr=bool(flags & _OPEN_FOR_SWMR_WRITE),
    )


def _end(head: bytes, offset: int, begin: int, word: int) -> int | None:
    if word not in _WORDS:
        return None
    base, _, end = struct.unpack_from(f"<3{_WORDS[word]}", head, begin)
    if end == (1 << 8 * word) - 1:
        return None
    # The field counts from where the superblock thinks it is, so a user block put in front later shifts it.
    return int(end) + offset - int(base)
