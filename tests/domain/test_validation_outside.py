"""What lies outside of a file is never opened: links, external storage and virtual sources, to secrets and traps.

A FIFO nobody writes to stands for anything that must not be opened: whoever opens it hangs.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from onc_mirror.model import Grade
from onc_mirror.validation import Reason, Validator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "canary-of-another-file"


@pytest.fixture(scope="module")
def validator() -> Iterator[Validator]:
    with Validator(timeout_s=20, memory_bytes=512 * 2**20, processes=1) as shared:
        yield shared


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "trap"
    os.mkfifo(path)
    return path


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.frombuffer(SECRET.encode(), "u1"))
        file.attrs["password"] = SECRET
    return path


def write(path: Path, build: Callable[[h5py.File], None]) -> Path:
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("here", data=np.arange(10))
        build(file)
    return path


@pytest.mark.parametrize("target", ["fifo", "secret"])
def test_external_links_are_noted_and_not_followed(
    validator: Validator, tmp_path: Path, request: pytest.FixtureRequest, target: str
) -> None:
    outside = request.getfixturevalue(target)

    def build(file: h5py.File) -> None:
        file["outside"] = h5py.ExternalLink(outside, "/x")
        file["soft"] = h5py.SoftLink("/outside")
        file["through"] = h5py.SoftLink("/outside/x")

    verdict = validator.validate(write(tmp_path / "links", build), "a.hdf5", Grade.CONTENT)

    assert verdict.passed
    assert f"external link /outside to {outside}:/x was not followed" in verdict.found["notes"]
    assert [entry["path"] for entry in verdict.found["datasets"]] == ["/here"]
    assert SECRET not in str(verdict.found)


@pytest.mark.parametrize("target", ["fifo", "secret"])
def test_external_storage_fails_with_its_own_reason(
    validator: Validator, tmp_path: Path, request: pytest.FixtureRequest, target: str
) -> None:
    outside = request.getfixturevalue(target)

    def build(file: h5py.File) -> None:
        file.create_dataset("outside", shape=(10,), dtype="u1", external=[(str(outside), 0, 10)])

    verdict = validator.validate(write(tmp_path / "storage", build), "a.hdf5", Grade.CONTENT)

    assert (verdict.grade, verdict.reason) == (Grade.OPEN, Reason.EXTERNAL_STORAGE)
    assert str(outside) in verdict.detail
    assert SECRET not in str(verdict.found)


@pytest.mark.parametrize("rows", [10, None], ids=["fixed", "unlimited"])
@pytest.mark.parametrize("target", ["fifo", "secret"])
def test_virtual_datasets_over_other_files_fail_with_their_own_reason(
    validator: Validator, tmp_path: Path, request: pytest.FixtureRequest, target: str, rows: int | None
) -> None:
    """An unlimited one makes libhdf5 open its sources as soon as anybody asks for its shape."""
    outside = request.getfixturevalue(target)

    def build(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((10,), "u1", maxshape=(rows,))
        source = h5py.VirtualSource(outside, "x", shape=(10,), maxshape=(rows,))
        view = h5py.h5s.UNLIMITED if rows is None else 10
        layout[:view] = source[:view]
        file.create_virtual_dataset("view", layout)

    verdict = validator.validate(write(tmp_path / "virtual", build), "a.hdf5", Grade.CONTENT)

    assert (verdict.grade, verdict.reason) == (Grade.OPEN, Reason.VIRTUAL_SOURCE)
    assert str(outside) in verdict.detail


def test_a_virtual_dataset_over_its_own_file_passes(validator: Validator, tmp_path: Path) -> None:
    def build(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((10,), "i8")
        layout[:] = h5py.VirtualSource(file["here"])
        file.create_virtual_dataset("view", layout)

    verdict = validator.validate(write(tmp_path / "own", build), "a.hdf5", Grade.CONTENT)

    assert verdict.passed
    assert {"path": "/view", "dtype": "int64", "layout": "virtual"} in verdict.found["datasets"]


def test_soft_links_pass_and_those_that_lead_nowhere_are_noted(validator: Validator, tmp_path: Path) -> None:
    def build(file: h5py.File) -> None:
        group = file.create_group("group")
        group["x"] = np.arange(3)
        for name, target in {"good": "/group/x", "relative": "x", "again": "good"}.items():
            group[name] = h5py.SoftLink(target)
        for name, target in {"nothing": "/none/x", "circle": "/group/circle", "of a dataset": "x/y"}.items():
            group[name] = h5py.SoftLink(target)

    verdict = validator.validate(write(tmp_path / "soft", build), "a.hdf5", Grade.CONTENT)

    assert verdict.passed
    assert verdict.found["notes"] == [
        f"soft link /group/{name} leads nowhere in this file" for name in ("circle", "nothing", "of a dataset")
    ]


def test_groups_that_contain_each_other_are_walked_once(validator: Validator, tmp_path: Path) -> None:
    def build(file: h5py.File) -> None:
        inner = file.create_group("outer/inner")
        inner["outer again"] = file["outer"]
        inner["root again"] = file["/"]
        inner["itself"] = inner
        inner["data again"] = file["here"]

    verdict = validator.validate(write(tmp_path / "cycle", build), "a.hdf5", Grade.CONTENT)

    assert verdict.passed
    assert verdict.found["group_count"] == 2
    assert verdict.found["dataset_count"] == 1


def test_references_are_read_and_not_followed(validator: Validator, tmp_path: Path) -> None:
    def build(file: h5py.File) -> None:
        references = file.create_dataset("objects", (2,), dtype=h5py.ref_dtype)
        references[0] = file["here"].ref
        regions = file.create_dataset("regions", (1,), dtype=h5py.regionref_dtype)
        regions[0] = file["here"].regionref[2:5]
        file.attrs["reference"] = file["here"].ref

    verdict = validator.validate(write(tmp_path / "references", build), "a.hdf5", Grade.CONTENT)

    assert verdict.passed
    assert [entry["dtype"] for entry in verdict.found["datasets"]] == ["int64", "Reference", "RegionReference"]
