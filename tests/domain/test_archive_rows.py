from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onc_mirror.archive.discovery import parse_deployment, parse_device, parse_product
from onc_mirror.archive.rows import format_time, just_after, just_before, parse_file, parse_time

REAL_ROW = {
    "filename": "ONCMJB016_20211011T000000.000Z.txt",
    "dateFrom": "2021-10-11T00:00:00.000Z",
    "dateTo": "2021-10-12T00:00:00.000Z",
    "archivedDate": "2021-10-12T03:55:53.941Z",
    "modifyDate": "2021-10-12T03:55:57.241Z",
    "fileSize": 8585653,
    "uncompressedFileSize": 71139520,
    "compression": "gz",
    "dataProductCode": "LF",
    "deviceCode": "ONCMJB016",
    "archiveLocation": "/NA_Archive_04",
    "path": "14/10/96",
}


def test_real_row_becomes_a_file_with_all_its_fields() -> None:
    file = parse_file(REAL_ROW, "ONCMJB016")

    assert file.filename == REAL_ROW["filename"]
    assert file.product_code == "LF"
    assert file.begins_at == datetime(2021, 10, 11, tzinfo=UTC)
    assert file.archived_at == datetime(2021, 10, 12, 3, 55, 53, 941000, tzinfo=UTC)
    assert (file.stored_bytes, file.uncompressed_bytes, file.expected_bytes) == (8585653, 71139520, 71139520)


def test_unknown_keys_are_kept_word_for_word() -> None:
    row = REAL_ROW | {"md5": "abc", "nested": {"a": [1]}}

    assert parse_file(row, "X").row == row


def test_file_can_cross_process_borders() -> None:
    file = parse_file(REAL_ROW, "X")

    assert pickle.loads(pickle.dumps(file)) == file  # noqa: S301 - our own bytes


@pytest.mark.parametrize("key", sorted(REAL_ROW))
@pytest.mark.parametrize("value", [None, [], {}, "", "garbage", -5, True, 1e300], ids=repr)
def test_field_that_is_not_what_it_should_be_costs_only_itself(key: str, value: object) -> None:
    file = parse_file(REAL_ROW | {key: value}, "ASKED")

    assert file.row[key] == value
    assert file.device_code in ("ONCMJB016", "ASKED", value)
    assert file.filename in (REAL_ROW["filename"], "", value)


def test_row_without_anything_is_still_a_file_of_the_device() -> None:
    file = parse_file({}, "ASKED")

    assert (file.filename, file.device_code, file.expected_bytes, file.begins_at) == ("", "ASKED", None, None)


@pytest.mark.parametrize(("row", "name"), [("only-a-name.txt", "only-a-name.txt"), (7, ""), (None, ""), ([1], "")])
def test_row_that_is_no_object_is_accounted_for(row: object, name: str) -> None:
    file = parse_file(row, "ASKED")

    assert (file.filename, file.device_code, file.row) == (name, "ASKED", {"row": row})


def test_row_of_another_device_keeps_its_own_code() -> None:
    assert parse_file(REAL_ROW, "TUMLIDAR001").device_code == "ONCMJB016"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-10-12T03:55:53.941Z", datetime(2021, 10, 12, 3, 55, 53, 941000, tzinfo=UTC)),
        ("2021-10-12 03:55:53.941", datetime(2021, 10, 12, 3, 55, 53, 941000, tzinfo=UTC)),
        ("2021-10-12T03:55:53+02:00", datetime(2021, 10, 12, 1, 55, 53, tzinfo=UTC)),
        ("2021-10-12", datetime(2021, 10, 12, tzinfo=UTC)),
        ("0001-01-01T00:00:00+10:00", None),
        ("yesterday", None),
        (1634010953, None),
    ],
)
def test_times_are_read_in_every_form_and_never_crash(text: object, expected: datetime | None) -> None:
    assert parse_time(text) == expected


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_spelled_time_encloses_the_instant_within_a_millisecond(time: datetime) -> None:
    down, up = parse_time(format_time(time)), parse_time(format_time(time, round_up=True))

    assert down is not None
    assert up is not None
    assert down <= time <= up
    assert up - down <= timedelta(milliseconds=1)


def test_time_of_another_zone_is_spelled_in_utc() -> None:
    assert format_time(datetime(2021, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == "2021-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("size", "expected"),
    [("9" * 5000, None), (2**63, None), (10**30, None), (float("inf"), None), (2**63 - 1, 2**63 - 1), ("007", 7)],
    ids=["digits", "64 bits", "large", "infinite", "largest", "zeros"],
)
def test_size_that_no_file_has_is_no_size(size: object, expected: int | None) -> None:
    assert parse_file(REAL_ROW | {"fileSize": size}, "X").stored_bytes == expected


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text("0123456789-T:.Z", max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)
@given(row=anything | st.dictionaries(st.sampled_from(sorted(REAL_ROW)), anything))
def test_any_row_becomes_a_file_with_fields_of_their_types(row: object) -> None:
    file = parse_file(row, "ASKED")

    assert isinstance(file.filename, str)
    assert isinstance(file.device_code, str)
    assert isinstance(file.product_code, str | None)
    assert isinstance(file.compression, str | None)
    assert file.expected_bytes is None or 0 <= file.expected_bytes < 2**63


@given(
    row=st.dictionaries(
        st.sampled_from(["deviceCode", "deviceName", "deviceCategoryCode", "dataProductCode", "extension", "begin"]),
        anything,
    )
)
@settings(deadline=None)
def test_any_discovery_row_becomes_a_value_with_fields_of_their_types(row: dict[str, object]) -> None:
    product, device, deployment = parse_product(row), parse_device(row), parse_deployment(row, "ASKED")

    assert {type(text) for text in (product.code, product.name, product.extension, device.code, device.name)} == {str}
    assert isinstance(device.category, str | None)
    assert isinstance(deployment.device_code, str)


@pytest.mark.parametrize(
    "time", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)], ids=["first", "last"]
)
def test_times_at_the_ends_of_all_times_have_neighbours(time: datetime) -> None:
    assert just_before(time) <= time <= just_after(time)
    assert just_before(time) < just_after(time)
    assert format_time(time, round_up=True)
