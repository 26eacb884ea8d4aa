"""The HDF5 files have the layouts that the strawb package reads, at sizes that the listing knows beforehand."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from infra.sandbox.archive.config import ArchiveConfig
from infra.sandbox.archive.layouts import VERSIONS
from infra.sandbox.archive.sea import Span, Wanted
from infra.sandbox.archive.shelf import Shelf
from infra.sandbox.archive.times import HOUR, to_ms

if TYPE_CHECKING:
    from pathlib import Path


NOON = datetime(2022, 5, 2, 12, tzinfo=UTC)
MAKER = {
    "SMRD": "TUMSTANDARDMODULE001",
    "LIDARSD": "TUMLIDAR001",
    "MSRD": "TUMLIDAR001",
    "MSSD": "TUMMINISPECTROMETER001",
    "MSSCD": "TUMPMTSPECTROMETER001",
    "MTSD": "TUMMUONTRACKER001",
    "PMTSD": "TUMPMTSPECTROMETER001",
    "PMTTC": "TUMPMTSPECTROMETER001",
}
PMTS = {f"ch{number}" for number in (0, 1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15)}
XYZ = {"x", "y", "z"}
EVERY = [(product, version) for product, versions in VERSIONS.items() for version in versions]


class Files:
    """The files of a product in the three hours before noon."""

    def __init__(self, folder: Path, product: str, *, hours: int = 4, **settings: Any) -> None:
        self._shelf = Shelf(ArchiveConfig(**settings), folder)
        self._shelf.clock.set(NOON)
        wanted = Wanted(Span(to_ms(NOON) - hours * HOUR), product=product)
        self.editions = self._shelf.listed(MAKER[product], wanted)
        self.rows = [self._shelf.row(edition) for edition in self.editions]

    def body(self, number: int = 0) -> bytes:
        return self._shelf.body(self.editions[number]).load()

    def bodies(self) -> list[bytes]:
        return [self.body(number) for number in range(len(self.editions))]


def _open(content: bytes) -> h5py.File:
    return h5py.File(io.BytesIO(content))


@pytest.mark.parametrize(("product", "version"), EVERY)
def test_every_version_is_whole_readable_and_of_the_listed_size(templates: Path, product: str, version: int) -> None:
    files = Files(templates, product, versions={product: version})

    assert len(files.rows) == 3
    for row, content in zip(files.rows, files.bodies(), strict=True):
        assert len(content) == row["fileSize"] == row["uncompressedFileSize"]
        assert 14_000 < len(content) < 75_000
        _check_groups(content, datetime.fromisoformat(row["dateFrom"]).timestamp())


def _check_groups(content: bytes, begin: float) -> None:
    with _open(content) as file:
        assert len(file) > 0
        for group in file.values():
            assert {dataset.shape[0] for dataset in group.values()} == {len(group["time"])}
            moments = group["time"][:]
            assert (moments >= begin).all()
            assert (moments < begin + 3600).all()
            assert (np.diff(moments) > 0).all()
            for dataset in group.values():
                assert dataset.compression == "gzip"
                assert dataset.maxshape[0] is None
                assert all(dataset[chunk].size for chunk in dataset.iter_chunks())


@pytest.mark.parametrize(("product", "version"), EVERY)
def test_root_attributes_are_those_of_the_file(templates: Path, product: str, version: int) -> None:
    files = Files(templates, product, versions={product: version})
    first, second = _attributes(files.body(0)), _attributes(files.body(1))

    begin = datetime.fromisoformat(files.rows[0]["dateFrom"]).timestamp()
    assert first["dev_code"] == MAKER[product]
    assert (first["file_start"], first["file_end"]) == (begin, begin + 3600)
    assert first["run_start"] <= begin
    assert first["run_end"] >= begin + 3600
    assert first["rollover_interval"] == "{'hours': 1}"
    assert first["file_id"].dtype == np.uint64
    assert int(first["file_id"]) > 2**63
    assert first["following_file_id"] == second["file_id"]
    assert second["previous_file_id"] == first["file_id"]


def _attributes(content: bytes) -> dict[str, Any]:
    with _open(content) as file:
        return dict(file.attrs)


def _read_shape(templates: Path, product: str, version: int) -> dict[str, set[str]]:
    with _open(Files(templates, product, versions={product: version}).body()) as file:
        return {name: set(group) - {"time"} for name, group in file.items()}


@pytest.mark.parametrize("version", VERSIONS["SMRD"])
def test_module_layout(templates: Path, version: int) -> None:
    shape = _read_shape(templates, "SMRD", version)

    lights = {name: columns for name, columns in shape.items() if name.startswith("lucifer_")}
    assert shape["accel"] == shape["magneto"] == XYZ
    assert shape["pth"] == {"humidity", "pressure", "temperature"}
    assert shape["temperatures"] == {"temp1", "temp2", "temp3"}
    assert shape["pwrmoni"] == {
        f"{part}_{kind}"
        for part in ("c2", "laser", "motor", "padiwa", "switch", "trb3sc")
        for kind in ("current", "voltage")
    }
    assert len(lights) == (0 if version == 1 else 4)
    for columns in lights.values():
        assert columns == {"current", "duration", "mode"} | (
            {"current_mA", "duration_seconds"} if version == 3 else set()
        )


@pytest.mark.parametrize("version", VERSIONS["LIDARSD"])
def test_lidar_layout(templates: Path, version: int) -> None:
    shape = _read_shape(templates, "LIDARSD", version)

    rates = {"pulser_readout", "pulser_trigger"} if version <= 3 else {"frequency_readout", "frequency_trigger"}
    assert shape["gimbal"] == {"delay", "pos_x", "pos_y", "power"}
    assert ("set_adjust_x_offset" in shape["laser"]) is (version >= 5)
    assert rates <= shape["daq"]
    assert ("frequency_pmt" in shape["daq"]) is (version == 1)
    assert (shape.get("counts") == {"ch0", "ch17", "ch18"}) is (version >= 2)
    assert ("measurement" in shape) is (version >= 3)
    assert ("hld_start_time" in shape.get("tot", set())) is (version >= 6)
    assert ("hld" in shape) is (version == 7)


@pytest.mark.parametrize("version", VERSIONS["MTSD"])
def test_muon_tracker_layout(templates: Path, version: int) -> None:
    shape = _read_shape(templates, "MTSD", version)

    assert shape["counts"] == PMTS
    assert ("rate_readout" in shape["daq"]) is (version <= 2)
    assert ("frequency_readout" in shape["daq"]) is (version >= 3)
    assert ("padiwa" in shape["daq"]) is (version == 1)
    assert ("th16" in shape["padiwa"]) is ("power" in shape["padiwa"]) is (version >= 2)
    assert (shape.get("tot") == {"time_ns", "tot", "channel"}) is (version == 4)


@pytest.mark.parametrize("version", VERSIONS["PMTSD"])
def test_pmt_spectrometer_layout(templates: Path, version: int) -> None:
    shape = _read_shape(templates, "PMTSD", version)

    assert shape["rates" if version <= 2 else "counts"] == PMTS
    if version in {1, 3}:
        assert len(shape) == 1
    else:
        assert shape["hv"] == {f"ch{number}" for number in range(16)} | {"power"}
        assert ("power" in shape["padiwa"]) is ("padiwa" not in shape["daq"]) is (version >= 5)
        assert ("frequency_readout" in shape["daq"]) is (version == 6)


@pytest.mark.parametrize(("product", "ports"), [("MSRD", 1), ("MSSD", 5)])
def test_mini_spectrometer_layout(templates: Path, product: str, ports: int) -> None:
    with _open(Files(templates, product).body()) as file:
        assert set(file) == {str(port) for port in range(1, ports + 1)}
        for group in file.values():
            assert set(group) == {
                "time", "ADCcounts", "exposure_time", "temperature_before", "temperature_after", "trigger_counter",
            }  # fmt: skip
            assert group["ADCcounts"].shape[1] == 288
            pixels = np.arange(288)
            expected = sum(a * pixels**i for i, a in enumerate(group.attrs["CAL.ARR"]))
            np.testing.assert_allclose(group.attrs["WAVELENGTH.ARR"], expected)
            assert int(group.attrs["W1 UID"]) > 0


def test_camera_layout(templates: Path) -> None:
    with _open(Files(templates, "MSSCD").body()) as file:
        camera = file["camera"]
        assert set(camera) == {
            "time", "exposure_time", "gain", "raw", "lucifer_options", "exposure_time_cmd_setting",
            "measured_capture_time", "reported_resolution",
        }  # fmt: skip
        assert camera["raw"].shape[1:] == (1280, 960)
        assert camera["raw"].dtype == np.uint16
        assert (camera["lucifer_options"][:] == -125).all()
        assert set(camera.attrs) == {
            "EffMargins", "ExposureTimeScaleFactor", "ApproxPictureDownloadTime", "IgnoredMargins", "MODE",
            "RAW_Resolution", "Resolution",
        }  # fmt: skip


def test_the_version_follows_the_history_of_the_real_files(templates: Path) -> None:
    shelf = Shelf(ArchiveConfig(), templates)
    for day, rate in (("20211020", "pulser_readout"), ("20211101", "frequency_readout")):
        edition = shelf.named(f"TUMLIDAR001_{day}T000000.000Z-SDAQ-LIDAR.hdf5")
        assert edition is not None
        with _open(shelf.body(edition).load()) as file:
            assert rate in file["daq"]


def test_a_scan_says_so_and_has_no_neighbours(templates: Path) -> None:
    files = Files(templates, "PMTSD", cadence="real", hours=30 * 24)
    scan = next(number for number, row in enumerate(files.rows) if "0000.000Z" not in row["filename"])
    attributes = _attributes(files.body(scan))

    assert attributes["measurement_type"] == "rate_scan"
    assert np.isnan(attributes["previous_file_id"])
    assert int(attributes["file_id"]) > 2**63


def test_files_of_one_kind_differ_in_bytes_but_not_from_run_to_run(templates: Path) -> None:
    before, after = Files(templates, "SMRD").bodies(), Files(templates, "SMRD").bodies()

    assert len(set(before)) == len(before) == 3
    assert before == after


@pytest.mark.parametrize("product", sorted(VERSIONS))
@pytest.mark.parametrize("wanted", [60_000, 1_000_000])
def test_sizes_can_be_asked_for(tmp_path: Path, product: str, wanted: int) -> None:
    files = Files(tmp_path, product, size=wanted)
    content = files.body()

    assert len(content) == files.rows[0]["fileSize"]
    assert wanted * 0.85 < len(content) < wanted * 1.2
    _check_groups(content, datetime.fromisoformat(files.rows[0]["dateFrom"]).timestamp())


def test_realistic_sizes_are_those_of_the_real_files(tmp_path: Path) -> None:
    camera, counters = (Files(tmp_path, product, size="realistic") for product in ("MSSCD", "PMTSD"))

    assert 45e6 < camera.rows[0]["fileSize"] < 51e6
    assert 23e6 < counters.rows[0]["fileSize"] < 28e6
    with _open(camera.body()) as file:
        assert 25 < len(file["camera/raw"]) < 40


def test_a_large_file_is_a_copy_of_its_template_and_costs_no_disk(tmp_path: Path) -> None:
    files = Files(tmp_path, "PMTTC", sizes={"PMTTC": 8_000_000})
    hashes = {sha256(body).digest() for body in files.bodies()}
    stored = sum(entry.stat().st_size for entry in os.scandir(tmp_path / "templates"))

    assert len(hashes) == 3
    assert stored < 10_000_000
