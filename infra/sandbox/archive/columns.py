"""What a dataset of an SDAQ file holds: name, shape, and values that look like measurements. Deterministic.

Values only have to be plausible in range and in how well they compress; nobody does physics with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
Make = Callable[[np.random.Generator, int], Values]

FRAME: Final = (1280, 960)
PIXELS: Final = 288


@dataclass(frozen=True, slots=True)
class Column:
    """A dataset of a group.

    Attributes:
        name: Its name.
        dtype: numpy type.
        make: Gives values for a number of rows; None for a column of times, which depends on the file.
        tail: Shape of one row.
    """

    name: str
    dtype: str
    make: Make | None
    tail: tuple[int, ...] = ()

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, uncompressed."""
        return int(np.dtype(self.dtype).itemsize * np.prod(self.tail, dtype=int))


@dataclass(frozen=True, slots=True)
class Group:
    """A group: its datasets share the length of axis 0 and one of them is `time`.

    Attributes:
        name: Name under the root.
        columns: Its datasets, `time` first.
        rows: Rows at scale 1.
        attributes: Attributes of the group.
    """

    name: str
    columns: tuple[Column, ...]
    rows: int = 32
    attributes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def times(name: str = "time") -> Column:
    """Seconds since the epoch within the file's span."""
    return Column(name, "<f8", None)


def floats(name: str, low: float, high: float, digits: int = 3, tail: tuple[int, ...] = ()) -> Column:
    """Numbers that scatter between `low` and `high`."""

    def make(rng: np.random.Generator, rows: int) -> Values:
        return rng.uniform(low, high, (rows, *tail)).round(digits)

    return Column(name, "<f8", make, tail)


def ints(name: str, low: int, high: int, dtype: str = "<i4", tail: tuple[int, ...] = ()) -> Column:
    """Whole numbers from `low` to `high`, both possible."""

    def make(rng: np.random.Generator, rows: int) -> Values:
        return rng.integers(low, high, (rows, *tail), endpoint=True).astype(dtype)

    return Column(name, dtype, make, tail)


def counter(name: str, per_row: int) -> Column:
    """A TRB counter: int32, rising, wrapped at 2^31, the sign bit set where the channel was active while read."""

    def make(rng: np.random.Generator, rows: int) -> Values:
        counts = np.cumsum(rng.poisson(per_row, rows)) & 0x7FFFFFFF
        active = rng.random(rows) < 0.01  # noqa: PLR2004 - a sample in a hundred
        return np.where(active, counts - 2**31, counts).astype("<i4")

    return Column(name, "<i4", make)


def constant(name: str, value: float, dtype: str = "<i4") -> Column:
    """The same value in every row."""

    def make(_rng: np.random.Generator, rows: int) -> Values:
        return np.full(rows, value, dtype)

    return Column(name, dtype, make)


def steps(name: str) -> Column:
    """Rows in pairs of start and end with the same number."""

    def make(_rng: np.random.Generator, rows: int) -> Values:
        return (np.arange(rows) // 2).astype("<i4")

    return Column(name, "<i4", make)


def spectra(name: str) -> Column:
    """Counts of a 288-pixel spectrometer: a bump on an offset."""

    def make(rng: np.random.Generator, rows: int) -> Values:
        bump = 900 * np.exp(-(((np.arange(PIXELS) - 140) / 30) ** 2))
        return (820 + bump + rng.integers(0, 24, (rows, PIXELS))).astype("<u2")

    return Column(name, "<u2", make, (PIXELS,))


def frames(name: str, noise: int) -> Column:
    """Bayer frames of uint16: a dim glow in stripes of 80 pixels plus `noise` counts on each pixel.

    Without noise a frame takes few kB, with 1023 counts about 1.6 MB, with 65535 it cannot be compressed.
    """

    def make(rng: np.random.Generator, rows: int) -> Values:
        glow = rng.integers(2_000, 4_000, (rows, FRAME[0] // 80, 1), "u2").astype("<u2")
        image = glow.repeat(80, axis=1).repeat(FRAME[1], axis=2)
        return image + rng.integers(0, noise, image.shape, "u2", endpoint=True) if noise else image

    return Column(name, "<u2", make, FRAME)
