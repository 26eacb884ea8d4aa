"""Damage to the bytes of files: what comes is wrong in the way that was asked for, and always the same."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any

import h5py
import pytest

from infra.sandbox.archive.faults import Kind
from infra.sandbox.archive.layouts import VERSIONS
from tests.support.asking import ask

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.archive import RunningArchive

NAME = "TUMPMTSPECTROMETER001_20220502T090000.000Z-SDAQ-PMTSPEC.hdf5"
HOUR = "20220502T090000.000Z"
EVERY_PRODUCT = {
    "SMRD": f"TUMSTANDARDMODULE001_{HOUR}-SDAQ-MODULE.hdf5",
    "LIDARSD": f"TUMLIDAR001_{HOUR}-SDAQ-LIDAR.hdf5",
    "MSRD": f"TUMLIDAR001_{HOUR}-SDAQ-MINISPEC.hdf5",
    "MSSD": f"TUMMINISPECTROMETER001_{HOUR}-SDAQ-MINISPEC.hdf5",
    "MSSCD": f"TUMPMTSPECTROMETER001_{HOUR}-SDAQ-CAMERA.hdf5",
    "MTSD": f"TUMMUONTRACKER001_{HOUR}-SDAQ-MUON.hdf5",
    "PMTSD": NAME,
    "PMTTC": f"TUMPMTSPECTROMETER001_{HOUR}-SDAQ-TRBCOUNTER.hdf5",
}


def _download(archive: RunningArchive, name: str = NAME) -> bytes:
    answer = ask(archive.api("archivefile/download", filename=name))
    assert answer.status == 200
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    return answer.body


def _damaged(archive: RunningArchive, kind: Kind, **fields: Any) -> tuple[bytes, bytes]:
    archive.fault(kind, **fields)
    first, second = _download(archive), _download(archive)
    assert first == second
    return archive.true_bytes(NAME), first


def _read_all(content: bytes) -> None:
    with h5py.File(io.BytesIO(content)) as file:
        for group in file.values():
            for dataset in group.values():
                dataset[()]


def test_short_says_so_consistently(archive: RunningArchive) -> None:
    true, got = _damaged(archive, Kind.SHORT)

    assert got == true[: len(true) // 2]
    with pytest.raises(OSError, match="truncated file"):
        _read_all(got)


def test_short_can_lack_one_byte(archive: RunningArchive) -> None:
    size = len(archive.true_bytes(NAME))
    true, got = _damaged(archive, Kind.SHORT, after_bytes=size - 1)

    assert got == true[:-1]


def test_gzip_holds_the_file(archive: RunningArchive) -> None:
    true, got = _damaged(archive, Kind.GZIP)

    assert got[:2] == b"\x1f\x8b"
    assert gzip.decompress(got) == true


@pytest.mark.parametrize("product", sorted(VERSIONS))
def test_a_flipped_bit_keeps_size_and_structure_but_not_the_data(archive: RunningArchive, product: str) -> None:
    name = EVERY_PRODUCT[product]
    archive.fault(Kind.BIT_FLIP)
    true, got = archive.true_bytes(name), _download(archive, name)

    differing = [index for index, (a, b) in enumerate(zip(true, got, strict=True)) if a != b]
    assert len(differing) == 1
    assert (true[differing[0]] ^ got[differing[0]]).bit_count() == 1
    with h5py.File(io.BytesIO(got)) as file:
        assert len(file) > 0
    with pytest.raises(OSError, match="filter returned failure"):
        _read_all(got)


def test_the_flipped_bit_can_be_chosen(archive: RunningArchive) -> None:
    true, got = _damaged(archive, Kind.BIT_FLIP, offset=-1)

    assert got[:-1] == true[:-1]
    assert got[-1] != true[-1]


def test_a_zero_tail_keeps_the_size(archive: RunningArchive) -> None:
    true, got = _damaged(archive, Kind.ZERO_TAIL)

    assert len(got) == len(true)
    assert got[: len(true) * 3 // 4] == true[: len(true) * 3 // 4]
    assert not any(got[-(len(true) // 4) :])
    with pytest.raises((OSError, KeyError, RuntimeError)):
        _read_all(got)


def test_injected_text_makes_the_file_longer_unless_it_is_to_keep_its_size(archive: RunningArchive) -> None:
    true, longer = _damaged(archive, Kind.INJECTED_TEXT)
    archive.faults.clear()
    _, same = _damaged(archive, Kind.INJECTED_TEXT, keep_size=True)

    assert len(longer) == len(true) + 500
    assert b"maintenance" in longer
    assert same == longer[: len(true)]


def test_zero_length_is_an_empty_body(archive: RunningArchive) -> None:
    _, got = _damaged(archive, Kind.ZERO_LENGTH)

    assert got == b""


def test_a_swmr_writer_that_died_leaves_a_file_that_swmr_can_read(archive: RunningArchive, tmp_path: Path) -> None:
    true, got = _damaged(archive, Kind.STILL_OPEN_SWMR)
    path = tmp_path / NAME
    path.write_bytes(got)

    assert len(got) == len(true)
    with pytest.raises(OSError, match="file is already open for write"):
        h5py.File(path)
    with h5py.File(path, swmr=True) as file:
        assert len(file) > 0


def test_a_writer_that_died_leaves_a_file_that_nobody_can_open(archive: RunningArchive, tmp_path: Path) -> None:
    true, got = _damaged(archive, Kind.STILL_OPEN_WRITE)
    path = tmp_path / NAME
    path.write_bytes(got)

    assert len(got) == len(true)
    for swmr in (False, True):
        with pytest.raises(OSError, match=r"file is (not )?already open for"):
            h5py.File(path, swmr=swmr)


def test_damage_hits_logs_too(archive: RunningArchive) -> None:
    name = "ONCMJB016_20220502T090000.000Z.txt"
    archive.fault(Kind.ZERO_TAIL, filename=name, length=10)

    got = _download(archive, name)

    assert got == archive.true_bytes(name)[:-10] + bytes(10)
