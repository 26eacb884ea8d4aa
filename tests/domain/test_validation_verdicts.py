"""Which grade and reason a file gets: whole ones, each kind of damage, and files that were never closed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from onc_mirror.model import Grade
from onc_mirror.validation import Reason, Validator
from tests.support.hdf5_files import (
    cut,
    first_chunk,
    flip_byte,
    insert,
    leave_open,
    write_camera_file,
    write_module_file,
    zero_tail,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ERROR_PAGE = b"<html><body>502 Bad Gateway</body></html>" * 13
HDF5_GRADES = (Grade.OPEN, Grade.STRUCTURE, Grade.CONTENT)


@pytest.fixture(scope="module")
def validator() -> Iterator[Validator]:
    with Validator(timeout_s=60, memory_bytes=512 * 2**20, processes=1) as shared:
        yield shared


@pytest.mark.parametrize("grade", Grade)
@pytest.mark.parametrize("write", [write_module_file, write_camera_file])
def test_a_whole_file_passes_every_grade_that_is_asked_for(
    validator: Validator, tmp_path: Path, write: Callable[[Path], Path], grade: Grade
) -> None:
    verdict = validator.validate(write(tmp_path / "whole"), "a.hdf5", grade)

    assert (verdict.grade, verdict.reason, verdict.passed) == (grade, None, True)


@pytest.mark.parametrize("name", ["a.txt", "a.hld", "a.csv", "a.raw", "a.png", "a.nc", "no extension"])
def test_other_kinds_of_files_reach_grade_size_and_pass(validator: Validator, tmp_path: Path, name: str) -> None:
    path = tmp_path / "some file"
    path.write_bytes(b"whatever")

    verdict = validator.validate(path, name, Grade.CONTENT)

    assert (verdict.grade, verdict.passed) == (Grade.SIZE, True)


@pytest.mark.parametrize("name", ["a.hdf5", "a.h5", "A.HDF5"])
def test_the_name_in_the_archive_decides_whether_a_file_must_be_hdf5(
    validator: Validator, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(b'{"errors": [{"errorCode": 96}]}')

    verdict = validator.validate(path, name, Grade.OPEN)

    assert (verdict.grade, verdict.reason) == (Grade.SIZE, Reason.NOT_HDF5)


@pytest.mark.parametrize("name", ["a.hdf5", "a.txt"])
def test_a_file_without_bytes_passes_nothing(validator: Validator, tmp_path: Path, name: str) -> None:
    path = tmp_path / "empty"
    path.touch()

    verdict = validator.validate(path, name, Grade.SIZE)

    assert (verdict.grade, verdict.reason) == (None, Reason.EMPTY_FILE)


def test_a_file_that_is_not_there_is_an_error_and_no_verdict(validator: Validator, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        validator.validate(tmp_path / "nothing", "a.hdf5", Grade.OPEN)


def test_a_file_without_groups_is_readable_and_says_so(validator: Validator, tmp_path: Path) -> None:
    path = tmp_path / "bare"
    h5py.File(path, "w").close()

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert verdict.passed
    assert verdict.found["notes"] == ["no groups"]


@pytest.mark.parametrize("libver", ["earliest", "v108", "v110", "v112", "latest"])
def test_a_cut_file_is_told_by_its_own_superblock(validator: Validator, tmp_path: Path, libver: str) -> None:
    path = tmp_path / "cut"
    with h5py.File(path, "w", libver=libver) as file:
        file["x"] = np.arange(10_000)
    whole = path.stat().st_size

    verdict = validator.validate(cut(path, 0.9), "a.hdf5", Grade.CONTENT)

    assert (verdict.grade, verdict.reason) == (Grade.SIZE, Reason.TRUNCATED_FILE)
    assert verdict.detail == f"{path.stat().st_size} bytes are here of {whole}."


def test_a_file_behind_a_user_block_is_found_and_its_length_checked(validator: Validator, tmp_path: Path) -> None:
    path = tmp_path / "user block"
    with h5py.File(path, "w", userblock_size=2048, libver="latest") as file:
        file.create_dataset("x", data=np.arange(10_000), chunks=(100,), compression="gzip")

    assert validator.validate(path, "a.hdf5", Grade.CONTENT).passed
    assert validator.validate(cut(path, 0.9), "a.hdf5", Grade.CONTENT).reason == Reason.TRUNCATED_FILE


def flip_in_data(path: Path) -> Path:
    begin, length = first_chunk(path, "accel/x")
    return flip_byte(path, begin + length // 2)


DAMAGE: dict[str, Callable[[Path], Path]] = {
    "zero tail": lambda path: zero_tail(path, 0.6),
    "flipped byte in a chunk": flip_in_data,
    "text in the middle": lambda path: insert(path, 0.5, ERROR_PAGE),
}


@pytest.mark.parametrize("grade", HDF5_GRADES)
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_inside_compressed_data_is_found_by_decoding(
    validator: Validator, tmp_path: Path, damage: Callable[[Path], Path], grade: Grade
) -> None:
    path = damage(write_damageable(tmp_path))

    verdict = validator.validate(path, "a.hdf5", grade)

    if grade is Grade.CONTENT:
        assert (verdict.grade, verdict.reason) == (Grade.STRUCTURE, Reason.UNDECODABLE_CHUNK)
    else:
        assert (verdict.grade, verdict.reason) == (grade, None)


def write_damageable(folder: Path) -> Path:
    """A file with its structure in front and its data behind, so that the damage hits data only."""
    path = folder / "damaged"
    with h5py.File(path, "w", libver="latest") as file:
        values = np.random.default_rng(1).integers(0, 255, (40, 4096), dtype="u1") // 4
        file.create_dataset("accel/x", data=values, chunks=(1, 4096), compression="gzip")
    return path


@pytest.mark.parametrize(
    "filters", [{"fletcher32": True}, {"compression": "gzip"}, {"compression": "lzf", "fletcher32": True}]
)
def test_an_undecodable_chunk_is_named_by_dataset_and_offset(
    validator: Validator, tmp_path: Path, filters: dict[str, object]
) -> None:
    path = tmp_path / "chunks"
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("good", data=np.arange(1_000.0), chunks=(100,), **filters)
        bad = file.create_dataset("bad", data=np.arange(1_000.0), chunks=(100,), **filters)
        chunk = bad.id.get_chunk_info(7)
        at, length, offset = chunk.byte_offset, chunk.size, chunk.chunk_offset
    flip_byte(path, at + length // 2)

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert (verdict.grade, verdict.reason) == (Grade.STRUCTURE, Reason.UNDECODABLE_CHUNK)
    assert verdict.detail.startswith(f"/bad at {list(offset)}: ")
    assert [note.split(":")[1].strip() for note in verdict.found["notes"]] == [f"/bad at {list(offset)}"]


def test_text_behind_the_end_passes_with_a_note_because_the_size_check_is_what_refuses_it(
    validator: Validator, tmp_path: Path
) -> None:
    path = insert(write_module_file(tmp_path / "tail"), 1.0, ERROR_PAGE)

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert verdict.passed
    assert verdict.found["notes"] == [f"{len(ERROR_PAGE)} bytes behind the end of the HDF5 data"]


def test_a_flipped_byte_in_unfiltered_data_cannot_be_seen(validator: Validator, tmp_path: Path) -> None:
    path = write_module_file(tmp_path / "plain", compression=None)
    begin, _ = first_chunk(path, "accel/x")

    verdict = validator.validate(flip_byte(path, begin + 100), "a.hdf5", Grade.CONTENT)

    assert verdict.passed


@pytest.mark.parametrize("where", ["superblock", "header of an object"])
def test_damaged_metadata_is_broken_structure(validator: Validator, tmp_path: Path, where: str) -> None:
    path = write_module_file(tmp_path / "meta")
    at = 40 if where == "superblock" else path.read_bytes().rindex(b"OHDR") + 20

    verdict = validator.validate(flip_byte(path, at), "a.hdf5", Grade.CONTENT)

    passed = Grade.SIZE if where == "superblock" else Grade.OPEN
    assert (verdict.grade, verdict.reason) == (passed, Reason.BROKEN_STRUCTURE)


def test_the_walk_goes_on_behind_a_broken_object(validator: Validator, tmp_path: Path) -> None:
    path = write_module_file(tmp_path / "meta")
    flip_byte(path, path.read_bytes().rindex(b"OHDR") + 20)

    found = validator.validate(path, "a.hdf5", Grade.STRUCTURE).found

    assert found["dataset_count"] == 11
    assert len(found["notes"]) == 1


def test_data_behind_the_end_of_the_file_are_broken_structure(validator: Validator, tmp_path: Path) -> None:
    path = leave_open(tmp_path / "open", swmr=True)
    begin, _ = first_chunk_swmr(path)
    path.write_bytes(path.read_bytes()[: begin + 10])

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert (verdict.grade, verdict.reason) == (Grade.OPEN, Reason.STILL_OPEN_SWMR)
    assert Reason.BROKEN_STRUCTURE in verdict.detail


def first_chunk_swmr(path: Path) -> tuple[int, int]:
    with h5py.File(path, "r", libver="latest", swmr=True) as file:
        dataset = file["counts/ch0"].id
        chunks = [dataset.get_chunk_info(index) for index in range(dataset.get_num_chunks())]
    last = max(chunks, key=lambda chunk: chunk.byte_offset)
    return int(last.byte_offset), int(last.size)


@pytest.mark.parametrize("grade", HDF5_GRADES)
def test_a_file_still_open_beside_readers_has_its_own_reason_and_is_read_all_the_same(
    validator: Validator, tmp_path: Path, grade: Grade
) -> None:
    path = leave_open(tmp_path / "swmr", swmr=True)

    verdict = validator.validate(path, "a.hdf5", grade)

    assert (verdict.grade, verdict.reason) == (grade, Reason.STILL_OPEN_SWMR)
    if grade is Grade.CONTENT:
        assert verdict.found["datasets"][0]["shape"] == [1_000]


def test_a_file_still_open_for_one_writer_alone_cannot_be_opened(validator: Validator, tmp_path: Path) -> None:
    path = leave_open(tmp_path / "plain", swmr=False)

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert (verdict.grade, verdict.reason) == (Grade.SIZE, Reason.STILL_OPEN)


def test_a_filter_that_needs_a_plugin_is_named(validator: Validator, tmp_path: Path) -> None:
    path = tmp_path / "filter"
    with h5py.File(path, "w", libver="latest") as file:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((10,))
        plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))  # zstd
        space = h5py.h5s.create_simple((10,))
        dataset = h5py.h5d.create(file.id, b"packed", h5py.h5t.NATIVE_INT32, space, plan)
        dataset.write_direct_chunk((0,), b"packed by a filter that is not here", 0)

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert (verdict.grade, verdict.reason) == (Grade.STRUCTURE, Reason.UNKNOWN_FILTER)
    assert verdict.found["datasets"][0]["filters"] == ["32015"]


@pytest.mark.parametrize(
    "write", [write_module_file, lambda path: leave_open(path, swmr=True)], ids=["whole", "swmr"]
)
def test_raw_bytes_are_never_altered(validator: Validator, tmp_path: Path, write: Callable[[Path], Path]) -> None:
    path = write(tmp_path / "raw")
    before = (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns, path.stat().st_size)
    path.chmod(0o444)

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert verdict.grade is Grade.CONTENT
    assert before == (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns, path.stat().st_size)
    assert list(tmp_path.iterdir()) == [path]
