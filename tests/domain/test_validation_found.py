"""What a verdict tells about the content of a file: exact, JSON-ready, bounded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from onc_mirror.model import Grade
from onc_mirror.validation import Validator
from tests.support.hdf5_files import FILE_ID, write_camera_file, write_module_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def validator() -> Iterator[Validator]:
    with Validator(timeout_s=60, memory_bytes=512 * 2**20, processes=1) as shared:
        yield shared


def test_groups_datasets_and_attributes_are_told(validator: Validator, tmp_path: Path) -> None:
    found = validator.validate(write_module_file(tmp_path / "module"), "a.hdf5", Grade.STRUCTURE).found

    assert found["groups"] == ["/accel", "/magneto", "/pth"]
    assert found["datasets"][0] == {
        "path": "/accel/time",
        "dtype": "float64",
        "layout": "chunked",
        "shape": [2_000],
        "chunk": [500],
        "chunks": 4,
        "filters": ["shuffle", "gzip"],
    }
    assert found["attributes"] == {
        "dev_code": "TUMSMR001",
        "file_id": FILE_ID,
        "file_start": 1_700_000_000.5,
        "previous_file_id": None,
    }
    assert (found["group_count"], found["dataset_count"], found["truncated"]) == (3, 12, False)


def test_chunks_of_many_dimensions_are_counted(validator: Validator, tmp_path: Path) -> None:
    found = validator.validate(write_camera_file(tmp_path / "camera"), "a.hdf5", Grade.CONTENT).found

    assert found["datasets"][0]["chunks"] == 3
    assert found["datasets"][0]["filters"] == ["shuffle", "gzip", "fletcher32"]


ATTRIBUTES: dict[str, tuple[Any, Any]] = {
    "uint64": (np.uint64(2**64 - 1), 2**64 - 1),
    "nan": (float("nan"), None),
    "infinity in an array": (np.array([1.0, np.inf]), [1.0, None]),
    "text": ("grün", "grün"),
    "bytes": (np.bytes_(b"abc"), "abc"),
    "texts": (np.array(["a", "b"], dtype=object), ["a", "b"]),
    "not UTF-8": (np.bytes_(b"\xff"), "\ufffd"),
    "bool": (np.bool_(True), True),
    "complex": (1 + 2j, "(1+2j)"),
    "compound": (np.array((1, 2.5), dtype=[("a", "i4"), ("b", "f8")]), [1, 2.5]),
    "two axes": (np.arange(4, dtype="i2").reshape(2, 2), [[0, 1], [2, 3]]),
    "long double": (np.longdouble(1.5), "1.5"),
    "empty": (h5py.Empty("f8"), None),
    "no elements": (np.empty(0), []),
}


@pytest.mark.parametrize(("value", "told"), ATTRIBUTES.values(), ids=ATTRIBUTES.keys())
def test_attributes_become_json(validator: Validator, tmp_path: Path, value: object, told: object) -> None:
    path = tmp_path / "attributes"
    with h5py.File(path, "w") as file:
        file.attrs["a"] = value

    verdict = validator.validate(path, "a.hdf5", Grade.STRUCTURE)

    assert verdict.passed, verdict.detail
    assert verdict.found["attributes"] == {"a": told}


def test_what_is_told_is_bounded_and_says_that_it_was_cut(validator: Validator, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with h5py.File(path, "w", libver="latest") as file:
        for index in range(2_000):
            file.create_group(f"a group with quite a long name that takes room {index}")
            file[f"dataset{index}"] = index
            file.attrs[f"attribute{index}"] = "x" * 20_000

    found = validator.validate(path, "a.hdf5", Grade.STRUCTURE).found

    assert len(json.dumps(dict(found))) <= 64 * 1024
    assert (found["group_count"], found["dataset_count"], found["truncated"]) == (2_000, 2_000, True)
    assert found["groups"]
    assert found["datasets"]
    assert found["attributes"]["attribute0"] == "x" * 1_000


def test_every_kind_of_type_is_decoded_in_the_worker(validator: Validator, tmp_path: Path) -> None:
    path = tmp_path / "types"
    kinds = ["b1", "i1", "u2", "i4", "u8", "f2", "f4", ">f8", "c8", "c16", "S5", "V3", "f16"]
    vlen = h5py.vlen_dtype("i4")
    with h5py.File(path, "w") as file:
        for kind in kinds:
            file.create_dataset(kind, data=np.zeros(3, kind), chunks=(2,), compression="gzip")
        file.create_dataset("text", data=["a", "bc", ""], dtype=h5py.string_dtype(), chunks=(2,), compression="gzip")
        file.create_dataset("fixed text", data=[b"a"], dtype=h5py.string_dtype("ascii", 9))
        file.create_dataset("vlen", shape=(2,), dtype=vlen)[0] = [1, 2]
        file.create_dataset("enum", data=[1], dtype=h5py.enum_dtype({"off": 0, "on": 1}))
        file.create_dataset("array", shape=(2,), dtype=np.dtype("(2,3)i4"))
        file.create_dataset("compound", shape=(2,), dtype=[("a", "i4"), ("b", h5py.string_dtype())])
        file.create_dataset("scalar", data=5)
        file.create_dataset("scalar text", data="text")
        file.create_dataset("null", data=h5py.Empty("f4"))
        file.create_dataset("nothing", shape=(0, 5), dtype="f4", maxshape=(None, 5))
        file.create_dataset("compact", data=np.arange(5), dcpl=compact())
        file["named type"] = np.dtype("i4")
        file.attrs["vlen"] = np.array([np.array([1, 2], "i4"), np.array([3], "i4")], dtype=vlen)

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert verdict.passed, verdict.detail
    assert verdict.found["dataset_count"] == len(kinds) + 11
    assert verdict.found["attributes"] == {"vlen": [[1, 2], [3]]}


def compact() -> Any:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.COMPACT)
    return plan


def test_a_type_without_equivalent_is_named_and_costs_the_grade_content(validator: Validator, tmp_path: Path) -> None:
    path = tmp_path / "time"
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((3,))
        h5py.h5d.create(file.id, b"odd", h5py.h5t.UNIX_D32LE, space)
        h5py.h5a.create(file.id, b"odd", h5py.h5t.UNIX_D32LE, space)

    verdict = validator.validate(path, "a.hdf5", Grade.CONTENT)

    assert (verdict.grade, verdict.reason) == (Grade.STRUCTURE, "unknown-type")
    assert verdict.found["datasets"][0]["dtype"] == "unknown"
