"""The client against the archive stand-in: what it asks, what it makes of the answers, what it does about trouble."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.config import ArchiveConfig
from infra.sandbox.archive.faults import Kind
from onc_mirror.archive import Product
from onc_mirror.errors import (
    ListingIncompleteError,
    RequestRejectedError,
)
from onc_mirror.model import TimeWindow
from onc_mirror.transfer.downloading import download
from tests.support.archive import RunningArchive, running_archive
from tests.support.opening import CANARY, open_archive
from tests.support.secrecy import everything_printed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from onc_mirror.archive import OncArchive

NOON = datetime(2022, 5, 2, 12, tzinfo=UTC)
DEVICE = "TUMPMTSPECTROMETER001"
DAY = TimeWindow(NOON - timedelta(days=1), NOON)
CONFIG = ArchiveConfig(token=CANARY, data_start=NOON - timedelta(days=2))


@pytest.fixture(scope="module", params=["page"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArchive]:
    """One stand-in for the module; `paged` asks for one of each paging style."""
    with running_archive(tmp_path_factory.mktemp("archive"), replace(CONFIG, paging=request.param)) as archive:
        yield archive


@pytest.fixture
def sea(running: RunningArchive) -> RunningArchive:
    """The stand-in as if it had just begun."""
    running.faults.clear()
    running.forget_requests()
    running.set_clock(NOON)
    return running


@pytest.fixture
def archive(sea: RunningArchive) -> Iterator[OncArchive]:
    with open_archive(sea.url) as opened:
        yield opened


def names(files: Any) -> list[str]:
    return sorted(file.filename for file in files)


def test_listing_by_archive_time_has_exactly_the_rows_of_the_archive(
    sea: RunningArchive, archive: OncArchive
) -> None:
    listing = archive.list_files(DEVICE, archived=DAY)

    expected = [
        row for row in sea.rows(DEVICE) if DAY.since <= datetime.fromisoformat(row["archivedDate"]) < DAY.until
    ]
    assert len(expected) > 20
    assert [file.row for file in listing.files] == expected
    assert (listing.device_code, listing.window) == (DEVICE, DAY)
    assert all(file.device_code == DEVICE and file.expected_bytes for file in listing.files)
    assert sea.requests[0].parameters == {
        "deviceCode": DEVICE,
        "dateArchivedFrom": "2022-05-01T12:00:00.000Z",
        "dateArchivedTo": "2022-05-02T12:00:00.000Z",
        "returnOptions": "all",
        "rowLimit": "100000",
    }


def test_listing_by_data_time_and_extension(sea: RunningArchive, archive: OncArchive) -> None:
    listing = archive.list_files(DEVICE, data=DAY, extension="hdf5")

    assert listing.files
    assert {file.extension for file in listing.files} == {"hdf5"}
    assert all(file.begins_at and file.begins_at < DAY.until for file in listing.files)
    assert sea.requests[0].parameters["fileExtension"] == "hdf5"
    assert listing.window is None


def test_window_that_begins_in_the_future_is_empty_without_asking(sea: RunningArchive, archive: OncArchive) -> None:
    future = TimeWindow(datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) + timedelta(hours=2))

    assert archive.list_files(DEVICE, data=future).files == ()
    assert archive.list_files(DEVICE, archived=future).files == ()
    assert sea.requests == ()


def test_window_that_ends_in_the_future_is_fine(sea: RunningArchive, archive: OncArchive) -> None:
    sea.set_clock(None)
    now = datetime.now(UTC)

    assert archive.list_files(DEVICE, archived=TimeWindow(now - timedelta(days=1), now + timedelta(days=1))).files


@pytest.mark.parametrize("running", ["page", "dateFrom"], indirect=True)
@pytest.mark.parametrize("row_limit", [3, 7, 24, 1000])
@pytest.mark.parametrize("by_archive_time", [True, False], ids=["archive time", "data time"])
def test_pages_bring_what_one_page_brings(*, sea: RunningArchive, row_limit: int, by_archive_time: bool) -> None:
    archived, data = (DAY, None) if by_archive_time else (None, DAY)
    with open_archive(sea.url) as whole, open_archive(sea.url, row_limit=row_limit) as paged:
        expected = whole.list_files(DEVICE, archived=archived, data=data)
        sea.forget_requests()
        found = paged.list_files(DEVICE, archived=archived, data=data)

    assert len(expected.files) > 24
    assert found.files == expected.files
    assert len(sea.requests) <= 2 + 3 * (len(expected.files) // row_limit)


def test_rows_that_the_archive_loses_between_pages_are_found_again(
    sea: RunningArchive, caplog: pytest.LogCaptureFixture
) -> None:
    with open_archive(sea.url, row_limit=10) as archive:
        expected = archive.list_files(DEVICE, archived=DAY)
        sea.fault(Kind.LOST_ROWS, length=2)
        found = archive.list_files(DEVICE, archived=DAY)

    assert names(found.files) == names(expected.files)
    assert "rows_lost_between_pages" in caplog.text


def test_pages_that_loop_are_an_error(sea: RunningArchive) -> None:
    sea.fault(Kind.PAGE_LOOP)

    with open_archive(sea.url, row_limit=10) as archive, pytest.raises(ListingIncompleteError) as caught:
        archive.list_files(DEVICE, archived=DAY)

    assert CANARY not in everything_printed(caught.value)


def test_hostile_rows_are_all_accounted_for(sea: RunningArchive, archive: OncArchive) -> None:
    expected = archive.list_files(DEVICE, archived=DAY)
    sea.fault(Kind.EXTRA_ROWS)

    found = archive.list_files(DEVICE, archived=DAY)

    assert len(found.files) > len(expected.files)
    assert {file.filename for file in expected.files} < {file.filename for file in found.files}


def test_token_is_in_no_row(sea: RunningArchive, archive: OncArchive) -> None:
    sea.fault(Kind.CHANGED_ROWS, changes={"note": f"fetched with token={CANARY}"})

    found = archive.list_files(DEVICE, archived=DAY)

    assert found.files
    assert all("note" in file.row for file in found.files)
    assert CANARY not in repr(found)


def test_every_kind_of_file_is_downloaded_whole(sea: RunningArchive, archive: OncArchive, tmp_path: Path) -> None:
    files = {
        file.extension: file
        for device in (DEVICE, "TUMLIDAR001", "TUMMUONTRACKER001")
        for file in archive.list_files(device, archived=DAY).files
    }
    assert {"hdf5", "hld", "txt"} <= files.keys()

    for file in files.values():
        fetched = download(archive, file, tmp_path)
        assert fetched.path.read_bytes() == sea.true_bytes(file.filename)
        assert fetched.sha256 == sea.true_sha256(file.filename)


def test_missing_content_length_is_no_trouble(sea: RunningArchive, archive: OncArchive, tmp_path: Path) -> None:
    file = archive.list_files(DEVICE, archived=DAY, extension="hdf5").files[0]
    sea.fault(Kind.NO_CONTENT_LENGTH)

    assert download(archive, file, tmp_path).sha256 == sea.true_sha256(file.filename)


def test_file_is_still_listed_until_it_vanishes(sea: RunningArchive, archive: OncArchive) -> None:
    file, other = archive.list_files(DEVICE, archived=DAY).files[:2]
    assert archive.still_lists(file)
    assert archive.still_lists(replace(file, begins_at=None))

    sea.fault(Kind.VANISHED, filename=file.filename)

    assert not archive.still_lists(file)
    assert not archive.still_lists(replace(file, begins_at=None))
    assert archive.still_lists(other)


def test_file_with_data_of_the_future_is_asked_for_all_the_same(sea: RunningArchive, archive: OncArchive) -> None:
    later = datetime.now(UTC) + timedelta(days=900)
    file = archive.list_files(DEVICE, archived=DAY).files[0]
    sea.forget_requests()

    assert archive.still_lists(replace(file, begins_at=later))
    assert archive.still_lists(replace(file, begins_at=later, archived_at=None))

    by_archive_time, whole_device = sea.requests
    assert by_archive_time.parameters.keys() >= {"dateArchivedFrom"}
    assert not whole_device.parameters.keys() & {"dateArchivedFrom", "dateFrom"}


def test_file_without_data_time_is_looked_for_from_its_archive_time_on(
    sea: RunningArchive, archive: OncArchive
) -> None:
    file = archive.list_files(DEVICE, archived=DAY).files[0]
    sea.fault(Kind.RE_ARCHIVED, filename=file.filename, at=NOON - timedelta(minutes=1))
    sea.forget_requests()

    assert archive.still_lists(replace(file, begins_at=None)), "it was archived again since"

    (request,) = sea.requests
    assert request.parameters["dateArchivedFrom"] > "2022-05-01T11:59"


def test_swapped_clock_is_a_rejected_request_with_advice(sea: RunningArchive, archive: OncArchive) -> None:
    sea.set_clock(NOON - timedelta(days=900))

    with pytest.raises(RequestRejectedError, match="onc-mirror doctor") as caught:
        archive.list_files(DEVICE, data=DAY)

    assert caught.value.api_code == 25


def test_deployments_say_where_and_since_when(archive: OncArchive) -> None:
    (deployment,) = archive.deployments("TUMLIDAR001")

    assert (deployment.device_code, deployment.location, deployment.category) == ("TUMLIDAR001", "STR3", "LIDAR")
    assert deployment.begins_at is not None
    assert deployment.ends_at is None
    assert deployment.overlaps(DAY)
    assert not deployment.overlaps(TimeWindow(deployment.begins_at - timedelta(days=1), deployment.begins_at))


def test_end_of_a_deployment_counts(tmp_path: Path) -> None:
    config = replace(CONFIG, ended={"TUMLIDAR001": DAY.since})
    with running_archive(tmp_path, config) as sea, open_archive(sea.url) as archive:
        sea.set_clock(NOON)
        (deployment,) = archive.deployments("TUMLIDAR001")

    assert deployment.ends_at == DAY.since
    assert not deployment.overlaps(DAY)


def test_products_are_one_per_code_and_extension(archive: OncArchive) -> None:
    products = archive.products("TUMLIDAR001")

    assert Product("LIDARSD", "LiDAR Sensor Data", "hdf5") in products
    assert len(set(products)) == len(products)


def test_device_is_found_by_its_code(archive: OncArchive) -> None:
    (device,) = archive.devices(code="TUMLIDAR001")

    assert (device.code, device.category) == ("TUMLIDAR001", "LIDAR")
    assert device.name


def test_clocks_are_compared_without_a_valid_token(sea: RunningArchive) -> None:
    sea.set_clock(None)
    with open_archive(sea.url, token="nobody") as archive:
        assert abs(archive.measure_clock()) < timedelta(seconds=3)


def test_client_introduces_itself_and_keeps_its_connection(sea: RunningArchive, archive: OncArchive) -> None:
    for _ in range(5):
        archive.list_files(DEVICE, archived=DAY)

    assert len(sea.requests) == 5
    assert len({request.port for request in sea.requests}) == 1


def test_importing_the_package_is_light() -> None:
    code = "import sys, onc_mirror.archive; print({'urllib3', 'pandas', 'pydantic', 'stamina'} & sys.modules.keys())"

    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert ended.stdout.strip() == "set()"
