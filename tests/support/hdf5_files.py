"""HDF5 files as the modules write them, and the ways they get broken. Every builder returns the path it was given."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import h5py
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

FILE_ID = 17_000_000_000_000_000_000
"""A device file id as real ones are: beyond 2**63."""


def write_module_file(path: Path, *, rows: int = 2_000, compression: str | None = "gzip") -> Path:
    """Write a small file with the groups of a module's sensors (SMRD), appended to and closed."""
    rng = np.random.default_rng(20260101)
    layout = {"accel": ("x", "y", "z"), "magneto": ("x", "y", "z"), "pth": ("humidity", "pressure", "temperature")}
    filters = {"compression": compression, "shuffle": compression is not None} if compression else {}
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["dev_code"] = "TUMSMR001"
        file.attrs["file_id"] = np.uint64(FILE_ID)
        file.attrs["previous_file_id"] = np.nan
        file.attrs["file_start"] = 1_700_000_000.5
        for group, names in layout.items():
            for name in ("time", *names):
                values = rng.normal(size=rows)
                file.create_dataset(
                    f"{group}/{name}", data=values, maxshape=(None,), chunks=(max(1, rows // 4),), **filters
                )
    return path


def write_camera_file(path: Path, *, frames: int = 3, shape: tuple[int, int] = (128, 96)) -> Path:
    """Write a camera file (MSSCD): one compressed chunk per frame."""
    rng = np.random.default_rng(20260102)
    with h5py.File(path, "w", libver="latest") as file:
        group = file.create_group("camera")
        group.attrs["EffMargins"] = np.array([0, 0, 0, 0], dtype="i4")
        raw = group.create_dataset(
            "raw",
            shape=(frames, *shape),
            maxshape=(None, *shape),
            chunks=(1, *shape),
            dtype="u2",
            compression="gzip",
            shuffle=True,
            fletcher32=True,
        )
        for frame in range(frames):
            raw[frame] = rng.poisson(3_000, shape)
    return path


def first_chunk(path: Path, dataset: str) -> tuple[int, int]:
    """Return where the first chunk of a dataset begins in the file, and its length."""
    with h5py.File(path) as file:
        chunk = file[dataset].id.get_chunk_info(0)
        return int(chunk.byte_offset), int(chunk.size)


def flip_byte(path: Path, offset: int) -> Path:
    """Invert the byte at `offset`."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0xFF]))
    return path


def cut(path: Path, share: float) -> Path:
    """Keep the first `share` of a file."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def zero_tail(path: Path, share: float) -> Path:
    """Replace all behind the first `share` of a file by zeros, as a transfer into a pre-allocated file leaves it."""
    whole = path.read_bytes()
    kept = int(len(whole) * share)
    path.write_bytes(whole[:kept].ljust(len(whole), b"\0"))
    return path


def insert(path: Path, share: float, text: bytes) -> Path:
    """Put `text` into a file, as a proxy's error page in the middle of a resumed transfer."""
    whole = path.read_bytes()
    at = int(len(whole) * share)
    path.write_bytes(whole[:at] + text + whole[at:])
    return path


def write_bomb(path: Path, *, chunk_bytes: int, inflated_bytes: int, chunks: int = 1) -> Path:
    """Write gzip chunks that each inflate to `inflated_bytes` of zeros where `chunk_bytes` are declared."""
    packed = _gzip_of_zeros(inflated_bytes)
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(
            "bomb", shape=(chunks * chunk_bytes,), chunks=(chunk_bytes,), dtype="u1", compression="gzip"
        )
        for index in range(chunks):
            dataset.id.write_direct_chunk((index * chunk_bytes,), packed)
    return path


def _gzip_of_zeros(length: int) -> bytes:
    """Return what zlib makes of `length` zeros, a multiple of 1 MiB, without compressing them all."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = (length % 65521) << 16 | 1
    return b"\x78\xda" + block * (length // 2**20) + b"\x03\x00" + checksum.to_bytes(4, "big")


def leave_open(path: Path, *, swmr: bool, rows: int = 1_000) -> Path:
    """Write a file and keep its bytes as they are while its writer still has it open."""
    with h5py.File(path, "w", libver="latest") as file:
        dataset = file.create_dataset(
            "counts/ch0", shape=(0,), maxshape=(None,), chunks=(100,), dtype="i4", compression="gzip"
        )
        if swmr:
            file.swmr_mode = True
        dataset.resize((rows,))
        dataset[:] = np.arange(rows)
        file.flush()
        snapshot = path.read_bytes()
    path.write_bytes(snapshot)
    return path
