"""Reading all data of one dataset, chunk by chunk through its filters, in memory bounded by a chunk.

Only what is stored is read: a declared shape of 2**60 elements without chunks costs nothing. Values are read in
the file's own type, so that nothing is converted; only variable-length values and references go through h5py's
conversion, because reading them means following their pointers into the file's heaps.
"""

from __future__ import annotations

import itertools
import math
import zlib
from operator import sub
from typing import TYPE_CHECKING, Any

import numpy as np
from h5py import h5d, h5s

from onc_mirror.validation.datasets import dtype_of, filter_names
from onc_mirror.validation.messages import LIBRARY_ERRORS, brief, meaning
from onc_mirror.validation.reasons import FlawError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Box = tuple[tuple[int, ...], tuple[int, ...]]  # first element and number of elements, per axis

BATCH_BYTES = 8 * 2**20
"""Small chunks are read together up to this much; a larger chunk is read alone."""

_OBJECT_BYTES = 128  # a guess at what a variable-length value takes once it is a Python object


_ROOM_FOR_INFLATING = 4  # libhdf5 doubles its buffer while it inflates, beside the smaller one and the chunk itself


def decode(dataset: Any, path: str, memory_bytes: int) -> None:
    """Read every stored element of a dataset.

    Args:
        dataset: Open, low level; not virtual, and without external storage.
        path: For messages.
        memory_bytes: A chunk larger than this is not tried.

    Raises:
        FlawError: A chunk does not decode, needs what is not there, or does not fit; the first that was met.
    """
    shape = dataset.shape
    if shape is None or 0 in shape:
        return
    reader = _Reader(dataset, path, memory_bytes)
    plan = dataset.get_create_plist()
    if plan.get_layout() == h5d.CHUNKED:
        _decode_chunks(dataset, reader, plan.get_chunk(), memory_bytes)
    elif dataset.get_storage_size():
        reader.read_each(_boxes(shape, (1,) * len(shape), reader.element_bytes))


def _decode_chunks(dataset: Any, reader: _Reader, chunk: tuple[int, ...], memory_bytes: int) -> None:
    shape, stored = dataset.shape, dataset.get_num_chunks()
    chunk_bytes = math.prod(chunk) * dataset.get_type().get_size()
    if stored and chunk_bytes > memory_bytes:
        raise FlawError(
            Reason.VALIDATOR_MEMORY,
            f"{reader.path}: one chunk takes {chunk_bytes} bytes, the limit is {memory_bytes}.",
        )
    if stored < math.prod(_grid(shape, chunk)):
        reader.read_each(_stored_boxes(dataset, chunk))
        return
    for box in _boxes(shape, chunk, reader.element_bytes):
        if not reader.can_read(box):
            reader.read_each(_split(box, chunk))


class _Reader:
    """Reads boxes of one dataset into memory that is used again and again."""

    def __init__(self, dataset: Any, path: str, memory_bytes: int) -> None:
        dtype = dtype_of(dataset)
        if dtype is None:
            raise FlawError(Reason.UNKNOWN_TYPE, f"{path}: h5py has no equivalent for its type.")
        self.path = path
        self._memory_bytes = memory_bytes
        self._dataset = dataset
        self._objects = dtype if dtype.hasobject else None
        self._type = dataset.get_type()
        self._space = dataset.get_space()
        self._buffer = np.empty(0, np.uint8)
        self.element_bytes = _OBJECT_BYTES if dtype.hasobject else self._type.get_size()

    def read_each(self, boxes: Iterable[Box]) -> None:
        for box in boxes:
            try:
                self._read(box)
            except (*LIBRARY_ERRORS, MemoryError) as error:
                raise self._flaw(error, box[0]) from None

    def can_read(self, box: Box) -> bool:
        try:
            self._read(box)
        except (*LIBRARY_ERRORS, MemoryError):
            return False
        return True

    def _flaw(self, error: Exception, offset: tuple[int, ...]) -> FlawError:
        """Name a failed read. What goes wrong inside of a filter libhdf5 does not tell, so it is found out here."""
        where = f"{self.path} at {list(offset)}"
        if named := meaning(error):
            return FlawError(named, f"{where}: {brief(error)}")
        plan = self._dataset.get_create_plist()
        if not plan.all_filters_avail():
            return FlawError(Reason.UNKNOWN_FILTER, f"{where}: {brief(error)}")
        most_bytes = self._memory_bytes // _ROOM_FOR_INFLATING
        if plan.get_layout() == h5d.CHUNKED and "gzip" in filter_names(plan):
            try:
                _, packed = self._dataset.read_direct_chunk(offset)
            except LIBRARY_ERRORS as worse:
                return FlawError(Reason.UNDECODABLE_CHUNK, f"{where}: {brief(worse)}")
            if _inflates_beyond(packed, most_bytes):
                return FlawError(Reason.VALIDATOR_MEMORY, f"{where}: inflates to more than {most_bytes} bytes.")
        return FlawError(Reason.UNDECODABLE_CHUNK, f"{where}: {brief(error)}")

    def _read(self, box: Box) -> None:
        start, count = box
        target = h5s.create_simple(count) if count else h5s.create(h5s.SCALAR)
        if count:
            self._space.select_hyperslab(start, count)
        if self._objects is not None:
            self._dataset.read(target, self._space, np.empty(count, self._objects))
            return
        needed = math.prod(count) * self.element_bytes
        if len(self._buffer) < needed:
            self._buffer = np.empty(needed, np.uint8)
        self._dataset.read(target, self._space, self._buffer, self._type)


def _inflates_beyond(packed: bytes, most_bytes: int) -> bool:
    """Whether a zlib stream, broken later or not, gives more than `most_bytes`; found out in little memory."""
    inflater = zlib.decompressobj()
    inflated = 0
    try:
        while packed and not inflater.eof and inflated <= most_bytes:
            inflated += len(inflater.decompress(packed, BATCH_BYTES))
            packed = inflater.unconsumed_tail
    except zlib.error:
        return False
    return inflated > most_bytes


def _grid(shape: tuple[int, ...], cell: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-(-length // part) for length, part in zip(shape, cell, strict=True))


def _boxes(shape: tuple[int, ...], cell: tuple[int, ...], element_bytes: int) -> Iterator[Box]:
    """Cover `shape` with boxes of whole cells, each up to `BATCH_BYTES` unless a cell is larger."""
    grid = _grid(shape, cell)
    block = [1] * len(shape)
    for axis in reversed(range(len(shape))):
        room = BATCH_BYTES // (math.prod(block) * math.prod(cell) * element_bytes)
        block[axis] = max(1, min(grid[axis], room))
        if block[axis] < grid[axis]:
            break
    step = tuple(part * cells for part, cells in zip(cell, block, strict=True))
    return _split(((0,) * len(shape), shape), step)


def _split(box: Box, step: tuple[int, ...]) -> Iterator[Box]:
    start, count = box
    end = tuple(first + length for first, length in zip(start, count, strict=True))
    for corner in itertools.product(*map(range, start, end, step)):
        yield corner, tuple(map(min, step, map(sub, end, corner)))


def _stored_boxes(dataset: Any, chunk: tuple[int, ...]) -> Iterator[Box]:
    """One box for each stored chunk; none for a chunk outside of the shape, which no reader can see."""
    offsets: list[tuple[int, ...]] = []
    dataset.chunk_iter(lambda stored: offsets.append(stored.chunk_offset))
    for offset in offsets:
        count = tuple(map(min, chunk, map(sub, dataset.shape, offset)))
        if min(count) > 0:
            yield offset, count
