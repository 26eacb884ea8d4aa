"""Files damaged at random still get a verdict, and so does the whole file that comes after them."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.model import HDF5_SIGNATURE, Grade
from onc_mirror.validation import Reason, Validator
from onc_mirror.validation.superblock import read_superblock

if TYPE_CHECKING:
    from pathlib import Path

    from onc_mirror.model import Verdict

FILES = 16


def write_varied_file(path: Path, libver: str) -> bytes:
    """Write a small file with every layout, index and heap that a reader may stumble over."""
    with h5py.File(path, "w", libver=libver) as file:
        file.attrs["text"] = "variable length"
        file["link"] = h5py.SoftLink("/group/chunked")
        group = file.create_group("group", track_order=libver == "latest")
        settings: dict[str, Any] = {"chunks": (50,), "compression": "gzip", "shuffle": True}
        group.create_dataset("chunked", data=np.arange(300), maxshape=(None,), **settings)
        group.create_dataset("two axes", data=np.eye(30), chunks=(7, 7), maxshape=(None, None), fletcher32=True)
        group.create_dataset("contiguous", data=np.arange(100.0))
        group.create_dataset("texts", data=["a", "bc"] * 9, dtype=h5py.string_dtype())
        group.create_dataset("records", shape=(5,), dtype=[("a", "i4"), ("b", "f8")])
        for index in range(20):
            group.attrs[f"attribute {index}"] = np.arange(index)
    return path.read_bytes()


def damage(whole: bytes, chance: random.Random) -> bytes:
    """Change some bytes behind the signature, mostly in the front, where libhdf5 keeps its structures."""
    content = bytearray(whole)
    for _ in range(chance.choice([1, 2, 8, 40])):
        content[chance.randrange(len(HDF5_SIGNATURE), len(content))] = chance.choice(
            [0, 1, 0x7F, 0xFF, chance.randrange(256)]
        )
    return bytes(content)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_randomly_damaged_files_get_a_verdict_each(tmp_path: Path, libver: str) -> None:
    whole_path = tmp_path / "whole"
    whole = write_varied_file(whole_path, libver)
    chance = random.Random(20260103)  # noqa: S311 - reproducible damage
    paths = [tmp_path / f"damaged {index}" for index in range(FILES)]
    for path in paths:
        path.write_bytes(damage(whole, chance))

    with (
        Validator(timeout_s=20, memory_bytes=512 * 2**20, processes=2) as validator,
        ThreadPoolExecutor(4) as threads,
    ):

        def judge(path: Path) -> tuple[Verdict, Verdict]:
            damaged = validator.validate(path, "a.hdf5", Grade.CONTENT)
            return damaged, validator.validate(whole_path, "a.hdf5", Grade.CONTENT)

        verdicts = list(threads.map(judge, paths))

    assert all(after.passed for _, after in verdicts)
    reasons = [damaged.reason for damaged, _ in verdicts if not damaged.passed]
    assert len(reasons) > FILES // 4
    assert set(reasons) <= set(Reason)
    # Killed by a signal, libhdf5 crashed; an exit code would be an exception that the worker does not expect.
    assert not [damaged.detail for damaged, _ in verdicts if "exit code" in damaged.detail]


@given(head=st.binary(max_size=120), offset=st.sampled_from([0, 512, 1024]))
def test_any_bytes_behind_a_signature_make_a_superblock_or_none(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, offset: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "superblock"
    path.write_bytes(b"\0" * offset + HDF5_SIGNATURE + head)

    superblock = read_superblock(str(path))

    assert superblock is not None
    assert superblock.version == (head[0] if head else 0)
