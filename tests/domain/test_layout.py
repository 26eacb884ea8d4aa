from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.errors import UnsafeNameError
from onc_mirror.layout import (
    Layout,
    check_name,
    day_folders,
    key_day,
    mirrored_key,
    quarantine_key,
    report_key,
    superseded_key,
)
from onc_mirror.model import ArchiveFile, TimeWindow

DAY = datetime(2021, 5, 3, 23, 59, 59, 999000, tzinfo=UTC)
NAME = "TUMLIDAR001_20210503T000000.000Z-SDAQ-LIDAR.hdf5"
SHA = "0123456789abcdef" * 4

HOSTILE = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "a/b",
    "a\\b",
    "a\nb",
    "a\x00b",
    "/etc/passwd",
    ".hidden",
    "x" * 300,
    "\ud800",
    "Ω.hdf5",
    "a..b",
    " lead",
    "trail ",
    "trail.",
]

texts = st.text(max_size=300) | st.text(alphabet="./\\ab\x00\n", max_size=12)


def file(name: str = NAME, device: str = "TUMLIDAR001", begins_at: datetime | None = DAY) -> ArchiveFile:
    return ArchiveFile(name, device, begins_at=begins_at)


def test_a_mirrored_file_lies_under_its_device_and_the_day_of_its_data() -> None:
    assert mirrored_key(file()) == f"raw/TUMLIDAR001/2021/05/03/{NAME}"


def test_the_strawb_layout_is_what_the_strawb_package_expects_as_its_raw_data_dir() -> None:
    assert mirrored_key(file(), "strawb") == f"tumlidar001/2021_05/{NAME}"


def test_the_day_comes_from_the_name_when_the_row_has_none() -> None:
    assert mirrored_key(file(begins_at=None)) == f"raw/TUMLIDAR001/2021/05/03/{NAME}"


@pytest.mark.parametrize("name", ["undated.hdf5", "X_20229999T000000.000Z.hdf5", "X_00000101T000000.000Z.hdf5"])
def test_a_file_without_any_day_of_the_calendar_has_no_key(name: str) -> None:
    with pytest.raises(UnsafeNameError, match="when the data begin"):
        mirrored_key(file(name, begins_at=None))


def test_a_year_has_four_digits_however_long_ago() -> None:
    long_ago = datetime(7, 5, 3, tzinfo=UTC)

    assert mirrored_key(file(begins_at=long_ago)) == f"raw/TUMLIDAR001/0007/05/03/{NAME}"
    assert mirrored_key(file(begins_at=long_ago), "strawb") == f"tumlidar001/0007_05/{NAME}"


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_filename_or_device_code_has_no_key(name: str) -> None:
    for refused in (file(name), file(device=name)):
        with pytest.raises(UnsafeNameError):
            mirrored_key(refused)
        with pytest.raises(UnsafeNameError):
            quarantine_key(refused, SHA)
        with pytest.raises(UnsafeNameError):
            superseded_key(refused, SHA)


@given(texts, texts)
def test_whatever_the_names_are_a_key_stays_inside_its_prefix(name: str, device: str) -> None:
    try:
        keys = [mirrored_key(file(name, device)), quarantine_key(file(name, device), SHA)]
    except UnsafeNameError:
        return
    for key, prefix, depth in zip(keys, ("raw/", "quarantine/"), (6, 3), strict=True):
        parts = key.split("/")
        assert key.startswith(prefix)
        assert len(parts) == depth
        assert not {"", ".", ".."} & set(parts)
        assert key.isascii()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["A", "B-C", "NAXYS_HYD_007"]),
            st.from_regex(r"[A-Z]{1,3}_2021050[1-4]T00000[0-9]\.000Z\.hdf5", fullmatch=True),
        ),
        unique=True,
        max_size=8,
    )
)
def test_different_files_never_share_a_key(named: list[tuple[str, str]]) -> None:
    keys = {mirrored_key(file(name, device)) for device, name in named}

    assert len(keys) == len(named)


def test_two_contents_of_one_name_are_kept_apart() -> None:
    assert quarantine_key(file(), SHA) != quarantine_key(file(), "f" + SHA[1:])
    assert superseded_key(file(), SHA) == f"superseded/TUMLIDAR001/{NAME}.01234567"


def test_reports_lie_under_their_flow_and_day() -> None:
    assert report_key("mirror-hour", "run-1", DAY) == "reports/mirror-hour/2021/05/03/run-1.json"
    assert check_name("run-1") == "run-1"
    assert report_key("mirror-hour", "r", DAY + timedelta(days=1)).startswith("reports/mirror-hour/2021/05/04/")


@pytest.mark.parametrize("layout", ["raw", "strawb"])
@given(begins_at=st.datetimes(timezones=st.just(UTC)), before=st.timedeltas(timedelta(0), timedelta(days=40)))
def test_a_mirrored_file_lies_in_a_folder_of_any_window_that_holds_its_begin(
    layout: Layout, begins_at: datetime, before: timedelta
) -> None:
    since = max(begins_at, datetime.min.replace(tzinfo=UTC) + before) - before
    window = TimeWindow(since, max(begins_at, since) + timedelta(microseconds=1))

    key = mirrored_key(file(begins_at=begins_at), layout)

    assert [key.startswith(folder) for folder in day_folders("TUMLIDAR001", window, layout)].count(True) == 1


def test_a_key_of_the_raw_layout_says_its_day_whatever_its_name() -> None:
    assert key_day(mirrored_key(file())) == DAY.date()
    assert key_day("raw/TUMLIDAR001/2021/13/45/notes.txt") is None


def test_a_key_of_the_strawb_layout_says_its_day_by_its_name() -> None:
    assert key_day(mirrored_key(file(), "strawb")) == DAY.date()
    assert key_day("tumlidar001/2021_05/notes.txt") is None
