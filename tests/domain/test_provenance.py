from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.model import ArchiveFile, Grade, StoredObject, Verdict
from onc_mirror.provenance import ARCHIVE_FIELDS, archive_fields, holds, names, object_metadata
from onc_mirror.store.port import describe

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PROVEN = Verdict(Grade.CONTENT)
ROW: dict[str, Any] = {
    "filename": "TUMLIDAR001_20210503T000000.000Z-SDAQ-LIDAR.hdf5",
    "deviceCode": "TUMLIDAR001",
    "dataProductCode": "LIDARSD",
    "dateFrom": "2021-05-03T00:00:00.000Z",
    "dateTo": "2021-05-04T00:00:00.000Z",
    "archivedDate": "2021-05-04T03:55:53.941Z",
    "modifyDate": "2021-05-04T03:55:57.241Z",
    "fileSize": 1000,
    "uncompressedFileSize": 1000,
    "compression": None,
    "archiveLocation": "/NA_Archive_04",
    "path": "14/10/96",
}

values = (
    st.none()
    | st.text(max_size=40)
    | st.text(" x")
    | st.text("é", min_size=300, max_size=900)
    | st.integers(0, 2**63)
    | st.booleans()
    | st.lists(st.text(max_size=5), max_size=3)
    | st.dictionaries(st.text(max_size=5), st.integers(), max_size=2)
)


def file(row: dict[str, Any]) -> ArchiveFile:
    return ArchiveFile("a.hdf5", "TUMLIDAR001", stored_bytes=1000, row=row)


def stored(row: dict[str, Any], verdict: Verdict = PROVEN) -> StoredObject:
    return StoredObject("k", 1000, {"sha256": "ab" * 32, **object_metadata(file(row), verdict, now=NOW)})


def test_an_object_tells_its_archive_row_and_its_grade() -> None:
    metadata = object_metadata(file(ROW), PROVEN, now=NOW)

    assert metadata["grade"] == "content"
    assert metadata["mirrored-at"] == "2026-11-22T12:00:00.000+00:00"
    assert metadata["onc-archived-date"] == "2021-05-04T03:55:53.941Z"
    assert archive_fields(metadata) == {key: value for key, value in ROW.items() if value is not None}


@given(
    st.dictionaries(st.sampled_from([*ARCHIVE_FIELDS, "new key", "naïve"]), values),
    st.dictionaries(st.text(), values),
)
def test_whatever_the_row_holds_metadata_are_plain_headers_of_limited_size(
    row: dict[str, Any], extra: dict[str, Any]
) -> None:
    metadata = object_metadata(file(row | extra), PROVEN, now=NOW)

    assert describe(metadata, sha256="ab" * 32, md5="cd" * 16)


@given(st.text(min_size=1, max_size=60).filter(lambda text: not text.isdigit()))
def test_text_that_is_not_ascii_survives(text: str) -> None:
    row = ROW | {"path": text}

    assert archive_fields(object_metadata(file(row), PROVEN, now=NOW))["path"] == text


def test_keys_that_the_archive_adds_later_survive() -> None:
    row = ROW | {"checksum": {"md5": "x"}, "deviceID": 7}

    kept = archive_fields(object_metadata(file(row), PROVEN, now=NOW))

    assert kept["checksum"] == {"md5": "x"}
    assert kept["deviceID"] == 7


@pytest.mark.parametrize("odd", [["a", 1], {"bytes": 7}, True, 1.5, "²", "007", "", None, 2**70], ids=repr)
@pytest.mark.parametrize("field", ["fileSize", "archivedDate", "path"])
def test_a_row_with_odd_values_is_kept_and_recognised(field: str, odd: object) -> None:
    row = ROW | {field: odd}

    assert holds(stored(row), file(row), Grade.CONTENT)


@pytest.mark.parametrize(
    ("garbage", "kept"),
    [
        ({"onc-extra": "not JSON"}, {}),
        ({"onc-extra": "[1]"}, {}),
        ({"onc-extra": "%FF"}, {}),
        ({"onc-extra": "[" * 1900}, {}),
        ({"onc-extra": '{"fileSize":1}', "onc-file-size": "2"}, {"fileSize": 2}),
        ({"onc-file-size": "²"}, {"fileSize": "²"}),
        ({"onc-file-size": "9" * 1900}, {"fileSize": "9" * 1900}),
        ({"onc-path": "%FF"}, {"path": "\N{REPLACEMENT CHARACTER}"}),
    ],
    ids=range(8),
)
def test_metadata_of_another_hand_are_read_as_far_as_they_go(garbage: dict[str, str], kept: dict[str, Any]) -> None:
    assert archive_fields(garbage) == kept


def test_a_grade_that_this_version_does_not_know_proves_nothing() -> None:
    known = stored(ROW)
    newer = replace(known, metadata={**known.metadata, "grade": "semantic"})

    assert holds(known, file(ROW), Grade.SIZE)
    assert not holds(newer, file(ROW), Grade.SIZE)


def test_an_object_of_the_same_row_holds_the_file() -> None:
    assert holds(stored(ROW), file(ROW), Grade.CONTENT)
    assert holds(stored(ROW), file(ROW | {"modifyDate": "2021-05-04T03:56:30.000Z"}), Grade.CONTENT)


@pytest.mark.parametrize(
    "other",
    [
        None,
        stored(ROW | {"archivedDate": "2021-06-01T00:00:00.000Z"}),
        stored(ROW | {"fileSize": 999}),
        stored(ROW, Verdict(Grade.OPEN)),
        stored(ROW, Verdict(None, "not-hdf5")),
        replace(stored(ROW), size_bytes=999),
        StoredObject("k", 1000),
    ],
    ids=["none", "re-archived", "resized", "less proven", "not proven", "other length", "of somebody else"],
)
def test_an_object_that_is_anything_less_does_not_hold_it(other: StoredObject | None) -> None:
    assert not holds(other, file(ROW), Grade.CONTENT)


def test_an_object_names_its_file_whatever_became_of_the_row() -> None:
    named = ArchiveFile(ROW["filename"], "TUMLIDAR001")

    assert names(stored(ROW), named)
    assert names(stored(ROW | {"archivedDate": "2021-06-01T00:00:00.000Z", "dateFrom": None}), named)
    assert not names(stored(ROW | {"filename": "another.hdf5"}), named)
    assert not names(StoredObject("k", 1000), named)
