"""Memory, time and numbers stay bounded whatever a file declares."""

from __future__ import annotations

import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import psutil
import pytest

from onc_mirror.model import Grade
from onc_mirror.validation import Reason, Validator
from tests.support.hdf5_files import write_bomb, write_module_file

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = 512 * 2**20


@pytest.fixture(scope="module")
def validator() -> Iterator[Validator]:
    with Validator(timeout_s=60, memory_bytes=MEMORY, processes=1) as shared:
        yield shared


def write_large_file(path: Path) -> Path:
    """Write 340 MB: compressed frames that are put in as they are, so that writing costs little, and plain ones."""
    frame = np.random.default_rng(1).integers(0, 2**16, (1280, 960), dtype="u2")
    packed = zlib.compress(frame.tobytes(), 1)
    with h5py.File(path, "w", libver="latest") as file:
        frames = file.create_dataset("raw", (70, *frame.shape), "u2", chunks=(1, *frame.shape), compression="gzip")
        plain = file.create_dataset("plain", (70, *frame.shape), "u2")
        for index in range(70):
            frames.id.write_direct_chunk((index, 0, 0), packed)
            plain[index] = frame
    return path


def test_memory_is_bounded_by_a_chunk_and_not_by_the_file(tmp_path: Path) -> None:
    path = write_large_file(tmp_path / "large")
    assert path.stat().st_size > 300 * 2**20

    memory_bytes = 256 * 2**20
    with Validator(timeout_s=120, memory_bytes=memory_bytes, processes=1) as validator:
        verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)
        (worker,) = [it for it in psutil.Process().children() if it.cmdline()[-1:] == [str(memory_bytes)]]
        status = dict(line.split(":") for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines())

    assert verdict.passed, verdict.detail
    assert int(status["VmHWM"].split()[0]) < 100 * 1024


def test_a_chunk_larger_than_the_limit_is_not_tried(validator: Validator, tmp_path: Path) -> None:
    path = write_bomb(tmp_path / "bomb", chunk_bytes=2**32 - 2**20, inflated_bytes=2**20)

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert (verdict.grade, verdict.reason) == (Grade.STRUCTURE, Reason.VALIDATOR_MEMORY)
    assert verdict.detail == f"/bomb: one chunk takes {2**32 - 2**20} bytes, the limit is {MEMORY}."


def test_a_decompression_bomb_meets_the_memory_limit(validator: Validator, tmp_path: Path) -> None:
    path = write_bomb(tmp_path / "bomb", chunk_bytes=2**20, inflated_bytes=2**33)
    assert path.stat().st_size < 10 * 2**20

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert (verdict.grade, verdict.reason) == (Grade.STRUCTURE, Reason.VALIDATOR_MEMORY)
    assert validator.validate(write_module_file(tmp_path / "next"), "a.hdf5", Grade.CONTENT).passed


@pytest.mark.parametrize("chunks", [(2**10, 2**10), None], ids=["chunked", "contiguous"])
def test_a_huge_shape_without_data_costs_nothing(
    validator: Validator, tmp_path: Path, chunks: tuple[int, int] | None
) -> None:
    path = tmp_path / "huge"
    with h5py.File(path, "w") as file:
        file.create_dataset("huge", shape=(2**30, 2**30), dtype="f8", chunks=chunks)

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert verdict.passed
    assert verdict.found["datasets"][0]["shape"] == [2**30, 2**30]


def test_in_a_huge_shape_with_few_chunks_those_are_decoded(validator: Validator, tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with h5py.File(path, "w", libver="latest") as file:
        huge = file.create_dataset(
            "huge", shape=(2**40, 2**20), dtype="u1", chunks=(64, 64), maxshape=(None, None), fletcher32=True
        )
        huge[5, 5] = huge[2**39, 2**19] = 1
        stored = huge.id.get_chunk_info(1)
        assert huge.id.get_num_chunks() == 2
    assert validator.validate(path, "a.hdf5", Grade.CONTENT).passed

    with path.open("r+b") as file:
        file.seek(stored.byte_offset + 10)
        file.write(b"\xff")
    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert verdict.reason == Reason.UNDECODABLE_CHUNK
    assert verdict.detail.startswith(f"/huge at {list(stored.chunk_offset)}: ")


def test_many_thousand_groups_are_walked_in_time(validator: Validator, tmp_path: Path) -> None:
    path = tmp_path / "groups"
    with h5py.File(path, "w", libver="latest") as file:
        for index in range(100_000):
            h5py.h5g.create(file.id, str(index).encode())  # a tenth of what the high-level call takes
    began = time.monotonic()

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert verdict.passed
    assert verdict.found["group_count"] == 100_000
    assert time.monotonic() - began < 45


def test_too_many_links_are_refused(validator: Validator, tmp_path: Path) -> None:
    path = tmp_path / "links"
    with h5py.File(path, "w", libver="latest") as file:
        group = file.create_group("group").id
        for index in range(260_000):
            group.links.create_soft(str(index).encode(), b"x")

    verdict = validator.validate(path, "a.hdf5", Grade.STRUCTURE)

    assert (verdict.grade, verdict.reason) == (Grade.OPEN, Reason.TOO_COMPLEX)


@pytest.mark.parametrize(("depth", "reason"), [(250, None), (300, Reason.TOO_COMPLEX)])
def test_deep_nesting_is_refused_from_a_limit_on(
    validator: Validator, tmp_path: Path, depth: int, reason: Reason | None
) -> None:
    path = tmp_path / "deep"
    with h5py.File(path, "w", libver="latest") as file:
        file.create_group("/".join("g" * depth))

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert verdict.reason == reason


def test_chunks_of_a_grid_are_read_together_and_the_bad_one_is_still_named(
    validator: Validator, tmp_path: Path
) -> None:
    path = tmp_path / "grid"
    with h5py.File(path, "w", libver="latest") as file:
        values = np.random.default_rng(1).integers(0, 9, (7, 100, 90), dtype="u2")
        data = file.create_dataset("grid", data=values, chunks=(2, 30, 40), fletcher32=True)
        chunk = data.id.get_chunk_info_by_coord((4, 60, 80))
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset + 1)
        raw.write(b"\xff")

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert verdict.reason == Reason.UNDECODABLE_CHUNK
    assert verdict.detail.startswith("/grid at [4, 60, 80]: ")
