"""Writes the template of an HDF5 product: latest format, one level of groups, gzip and shuffle, unlimited axis 0.

Chunks are compressed here and written as they are, from a small pool, so that a file of gigabytes takes no longer
than its bytes need to reach the disk. The same arguments give the same bytes.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np

from infra.sandbox.archive.checksum import deflate_stored
from infra.sandbox.archive.template import Template, TimeChunk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from infra.sandbox.archive.columns import Column, Group, Values

_LARGEST_CHUNK: Final = 2_500_000
_POOL: Final = 3
_LEVEL: Final = 4
_ROOT_AT: Final = 36  # of the root's address in a superblock of version 3
_CONTINUATION: Final = 0x10


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to write.

    Attributes:
        groups: The layout.
        fixed: Root attributes that are the same in every file.
        stamps: Names of the root attributes that differ, with the numpy type of their 8 bytes.
        target: About this many bytes; None for the smallest that makes sense.
        scale: Rows as a multiple of the layout's when there is no target.
        seed: Of the values.
    """

    groups: Sequence[Group]
    fixed: Mapping[str, str | float]
    stamps: Mapping[str, str]
    target: int | None
    scale: float
    seed: int


def write_template(path: Path, recipe: Recipe) -> Template:
    """Write the file at `path` and describe it."""
    part = path.with_suffix(".part")
    scale = recipe.scale
    if recipe.target is not None:
        _write(part, recipe, 1.0)
        size = part.stat().st_size
        scale = max(0.0, 1.0 + (recipe.target - size) / _bytes_per_scale(recipe, recipe.target / size))
    clocks, payloads = _write(part, recipe, scale)
    size = part.stat().st_size
    stamps, headers = _find_stamps(part, list(recipe.stamps))
    part.replace(path)
    largest = max(length for _, length in payloads)
    middle = min(
        (chunk for chunk in payloads if chunk[1] >= largest // 2), key=lambda chunk: abs(chunk[0] - size // 2)
    )
    return Template(path, size, stamps, headers, tuple(sorted(clocks, key=lambda clock: clock.offset)), middle)


def _write(part: Path, recipe: Recipe, scale: float) -> tuple[list[TimeChunk], list[tuple[int, int]]]:
    rng = np.random.default_rng(recipe.seed)
    clocks: list[TimeChunk] = []
    payloads: list[tuple[int, int]] = []
    with _create(part) as file:
        for index, (name, dtype) in enumerate(recipe.stamps.items()):
            file.attrs[name] = np.frombuffer(_sentinel(index), dtype)[0]
        for name, value in recipe.fixed.items():
            file.attrs[name] = value
        for group in recipe.groups:
            _write_group(file, group, max(2, round(group.rows * scale)), rng)
        file.flush()
        for group in recipe.groups:
            for column in group.columns:
                chunks = _chunks(file[f"{group.name}/{column.name}"])
                if column.make is None:
                    clocks += chunks
                else:
                    payloads += [(chunk.offset, chunk.size) for chunk in chunks]
    return clocks, payloads


def _create(path: Path) -> h5py.File:
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_attr_phase_change(64, 0)  # keeps all attributes in the object header, where they can be found
    creation.set_obj_track_times(False)
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    # What the modules' own HDF5 wrote as its latest; the chunk indexes of newer formats cannot be read everywhere.
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    return h5py.File(h5py.h5f.create(bytes(path), h5py.h5f.ACC_TRUNC, creation, access))


def _write_group(file: h5py.File, group: Group, rows: int, rng: np.random.Generator) -> None:
    creation = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    creation.set_obj_track_times(False)
    target = h5py.Group(h5py.h5g.create(file.id, group.name.encode(), gcpl=creation))
    for name, value in group.attributes.items():
        target.attrs[name] = value
    for column in group.columns:
        chunk_rows = _chunk_rows(column, rows)
        dataset = target.create_dataset(
            column.name,
            (rows, *column.tail),
            column.dtype,
            maxshape=(None, *column.tail),
            chunks=(chunk_rows, *column.tail),
            compression="gzip",
            compression_opts=_LEVEL,
            shuffle=column.make is not None,  # times are stored deflated at level 0, where shuffling is in vain
        )
        count = -(-rows // chunk_rows)
        pool = [_chunk(column, chunk_rows, rng) for _ in range(min(count, _POOL))]
        for index in range(count):
            dataset.id.write_direct_chunk((index * chunk_rows, *(0 for _ in column.tail)), pool[index % _POOL])


def _chunk_rows(column: Column, rows: int) -> int:
    largest = max(1, min(65_536, _LARGEST_CHUNK // column.row_bytes))
    return -(-rows // -(-rows // largest))  # chunks of about one size, as a whole chunk is stored for the last rows


def _chunk(column: Column, rows: int, rng: np.random.Generator) -> bytes:
    if column.make is None:
        return deflate_stored(bytes(rows * column.row_bytes))
    return _compress(column.make(rng, rows).astype(column.dtype))


def _compress(values: Values) -> bytes:
    shuffled = values.reshape(-1).view("u1").reshape(-1, values.dtype.itemsize).T
    return zlib.compress(shuffled.tobytes(), _LEVEL)


def _bytes_per_scale(recipe: Recipe, guess: float) -> float:
    rng = np.random.default_rng(recipe.seed)
    return sum(
        group.rows * _bytes_per_row(column, max(2, round(group.rows * guess)), rng)
        for group in recipe.groups
        for column in group.columns
    )


def _bytes_per_row(column: Column, rows: int, rng: np.random.Generator) -> float:
    if column.make is None:
        return column.row_bytes
    sample = _chunk_rows(column, rows)  # as large as the chunks will be, since larger ones compress better
    return len(_chunk(column, sample, rng)) / sample


def _chunks(dataset: Any) -> list[TimeChunk]:
    found = (dataset.id.get_chunk_info(index) for index in range(dataset.id.get_num_chunks()))
    return [
        TimeChunk(info.byte_offset, info.size, dataset.chunks[0], info.chunk_offset[0], dataset.shape[0])
        for info in found
    ]


def _sentinel(index: int) -> bytes:
    return struct.pack("<d", 1.2345e-150 * (index + 1))


def _find_stamps(path: Path, names: Sequence[str]) -> tuple[dict[str, int], tuple[tuple[int, int], ...]]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        (root,) = struct.unpack_from("<Q", content, _ROOT_AT)
        blocks = _header_blocks(content, root)
        stamps = {
            name: next(
                position
                for start, length in blocks
                if (position := content.find(_sentinel(index), start, start + length)) >= 0
            )
            for index, name in enumerate(names)
        }
    used = [
        (start, length)
        for start, length in blocks
        if any(start <= position < start + length for position in stamps.values())
    ]
    return stamps, tuple(used)


def _header_blocks(content: mmap.mmap, root: int) -> list[tuple[int, int]]:
    """Chunks of the version 2 object header at `root`: offset and length without the checksum."""
    flags = content[root + 5]
    start = root + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    length = int.from_bytes(content[start : start + width], "little")
    first = start + width
    blocks = [(root, first - root + length)]
    pending = [(first, first + length)]
    message_head = 4 + (2 if flags & 0x04 else 0)
    while pending:
        position, end = pending.pop()
        while position + message_head <= end:
            kind, size = content[position], int.from_bytes(content[position + 1 : position + 3], "little")
            position += message_head
            if kind == _CONTINUATION:
                offset, whole = struct.unpack_from("<QQ", content, position)
                blocks.append((offset, whole - 4))
                pending.append((offset + 4, offset + whole - 4))
            position += size
    return blocks
