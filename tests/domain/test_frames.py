from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.errors import SettingsError
from onc_mirror.frames import COLUMNS, files_from_frame, listing_frame, read_csv, write_csv
from onc_mirror.model import ArchiveFile
from tests.support.archive_files import archive_file, archive_files, bounded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd


def write(path: Path, files: Sequence[ArchiveFile]) -> Path:
    with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as out:
        write_csv(listing_frame(files), out)
    return path


def test_an_empty_listing_has_the_columns_and_types_of_a_full_one() -> None:
    empty, full = listing_frame(()), listing_frame([archive_file(), ArchiveFile("a", "B")])

    assert list(full.columns) == list(COLUMNS)
    assert len(empty) == 0
    assert empty.dtypes.equals(full.dtypes)
    assert str(full["archived_at"].dtype) == "datetime64[us, UTC]"


@bounded
@given(st.lists(archive_files(), max_size=5))
def test_files_come_back_from_a_frame_as_they_were(files: list[ArchiveFile]) -> None:
    assert files_from_frame(listing_frame(files)) == tuple(files)


@bounded
@given(files=st.lists(archive_files(), max_size=5))
def test_files_come_back_from_a_csv_as_they_were(
    files: list[ArchiveFile], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write(tmp_path_factory.getbasetemp() / "list.csv", files)

    assert read_csv(path).equals(listing_frame(files))
    assert files_from_frame(read_csv(path)) == tuple(files)


def test_a_csv_keeps_large_sizes_exact_and_writes_milliseconds() -> None:
    size = 2**53 + 1
    time = datetime(2021, 10, 12, 3, 55, 53, 941_000, tzinfo=UTC)
    frame = listing_frame([archive_file(stored_bytes=size, archived_at=time)])

    text = frame_text(frame)

    assert str(size) in text
    assert "2021-10-12T03:55:53.941Z" in text


def frame_text(frame: pd.DataFrame) -> str:
    out = io.StringIO(newline="")
    write_csv(frame, out)
    return out.getvalue()


def test_the_download_of_a_compressed_file_has_the_uncompressed_size() -> None:
    plain = archive_file(stored_bytes=10, uncompressed_bytes=70)

    frame = listing_frame([plain, replace(plain, compression="gz")])

    assert frame["expected_bytes"].tolist() == [10, 70]


def test_a_size_that_64_bits_cannot_hold_is_missing() -> None:
    frame = listing_frame([archive_file(stored_bytes=2**64)])

    assert frame["stored_bytes"].isna().all()
    assert len(frame) == 1


def test_a_list_needs_only_names_and_devices(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("note,filename,device_code\nmine,a.hdf5,TUMLIDAR001\n")

    assert files_from_frame(read_csv(path)) == (ArchiveFile("a.hdf5", "TUMLIDAR001"),)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"filename\na.hdf5\n", "has no column device_code", id="no device"),
        pytest.param(b"", "has no column device_code and filename", id="empty"),
        pytest.param(
            b"filename,device_code,stored_bytes\na,B,12\na,B,many\n",
            "line 3: stored_bytes 'many' is no whole number.",
            id="no number",
        ),
        pytest.param(
            b"filename,device_code,begins_at\na,B,yesterday\n",
            "line 2: begins_at 'yesterday' is no time such as",
            id="no time",
        ),
        pytest.param(b"filename,device_code,row\na,B,[1]\n", "is no JSON object", id="row is no object"),
        pytest.param(b"filename,device_code\n\xff\xfe,B\n", "not UTF-8", id="not text"),
        pytest.param(b"filename,device_code," + b"x" * 2**18 + b"\n", "line 1: field larger", id="endless header"),
        pytest.param(b"filename,device_code\na," + b"x" * 2**18 + b"\n", "line 2: field larger", id="endless field"),
        pytest.param(
            b"filename,device_code,begins_at\na,B,0001-01-01T00:00:00+14:00\n", "line 2", id="before all times"
        ),
        pytest.param(
            b'filename,device_code,row\na,B,"{""a"":' + b"[" * 20_000 + b"]" * 20_000 + b'}"\n',
            "line 2",
            id="deep row",
        ),
    ],
)
def test_a_list_that_is_none_is_one_clear_line(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)

    with pytest.raises(SettingsError, match=expected) as raised:
        read_csv(path)

    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_list_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_csv(tmp_path / "none.csv")
