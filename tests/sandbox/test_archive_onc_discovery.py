"""Discovery calls through ONC's own Python client, as its public tests describe them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests
from onc import ONC

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.archive import RunningArchive

Call = tuple[str, dict[str, Any]]
PLACE = {"locationCode": "STR3", "deviceCategoryCode": "LIDAR"}
DATED: list[Call] = [
    ("getDeployments", PLACE),
    ("getDevices", {"deviceCode": "TUMLIDAR001"}),
    ("getDataAvailability", PLACE),
]


@pytest.fixture
def client(archive: RunningArchive, tmp_path: Path) -> ONC:
    client = ONC(archive.token, outPath=tmp_path)
    client.baseUrl = archive.url
    return client


def _call(client: ONC, name: str, filters: dict[str, Any]) -> Any:
    method: Callable[[dict[str, Any]], Any] = getattr(client, name)
    return method(dict(filters))


@pytest.mark.parametrize(("name", "filters"), DATED)
def test_begin_after_end_is_error_23(client: ONC, name: str, filters: dict[str, Any]) -> None:
    with pytest.raises(requests.HTTPError, match="API Error 23"):
        _call(client, name, filters | {"dateFrom": "2021-01-01", "dateTo": "2020-12-01"})


@pytest.mark.parametrize(("name", "filters"), DATED)
def test_begin_in_the_future_is_error_25(client: ONC, name: str, filters: dict[str, Any]) -> None:
    with pytest.raises(requests.HTTPError, match="API Error 25"):
        _call(client, name, filters | {"dateFrom": "2050-01-01"})


@pytest.mark.parametrize(
    ("name", "filters"),
    [
        ("getDeployments", {"locationCode": "XYZ123", "deviceCategoryCode": "LIDAR"}),
        ("getDevices", {"deviceCode": "XYZ123"}),
        ("getDataProducts", {"dataProductCode": "XYZ123"}),
        ("getDataAvailability", {"locationCode": "INVALID", "deviceCategoryCode": "LIDAR"}),
        ("getDeployments", PLACE | {"dateTo": "1900-01-01"}),
        ("getDeployments", {"deviceCode": "TUMSTANDARDMODULE002"}),
    ],
)
def test_bad_values_are_error_127(client: ONC, name: str, filters: dict[str, Any]) -> None:
    with pytest.raises(requests.HTTPError, match="API Error 127"):
        _call(client, name, filters)


@pytest.mark.parametrize(
    ("name", "filters"),
    [
        ("getDeployments", {"locationCodes": "STR3"}),
        ("getDevices", {"deviceCodes": "TUMLIDAR001"}),
        ("getDataProducts", {"dataProductCodes": "LF"}),
        ("getDataAvailability", {"deviceCodes": "TUMLIDAR001"}),
    ],
)
def test_unknown_names_are_error_129(client: ONC, name: str, filters: dict[str, Any]) -> None:
    with pytest.raises(requests.HTTPError, match="API Error 129"):
        _call(client, name, filters)


@pytest.mark.parametrize(
    ("name", "filters"),
    [
        ("getDevices", {"deviceCode": "TUMLIDAR001", "dateTo": "1900-01-01"}),
        ("getDataProducts", {"dataProductCode": "SMRD", "extension": "txt"}),
    ],
)
def test_no_match_is_status_404(client: ONC, name: str, filters: dict[str, Any]) -> None:
    with pytest.raises(requests.HTTPError, match="404 Client Error"):
        _call(client, name, filters)


def test_deployments_have_all_keys(client: ONC) -> None:
    (row,) = client.getDeployments({"deviceCode": "TUMSTANDARDMODULE003"})

    assert set(row) == {
        "begin", "citation", "depth", "deviceCategoryCode", "deviceCode", "end", "hasDeviceData", "heading", "lat",
        "locationCode", "lon", "pitch", "roll",
    }  # fmt: skip
    assert set(row["citation"]) == {"citation", "doi", "landingPageUrl", "queryPid"}
    assert (row["locationCode"], row["depth"], row["end"]) == ("STR8", 2272.0, "2021-03-31T00:00:00.000Z")


def test_ten_devices_are_deployed_now(client: ONC) -> None:
    deployed = {row["deviceCode"] for row in client.getDeployments({"dateFrom": "2022-05-01"})}

    assert len(deployed) == 10
    assert {"ONCMJB016", "UMAINZWOM001", "TUMLIDAR002"} <= deployed
    assert "TUMSTANDARDMODULE003" not in deployed


def test_devices_have_all_keys(client: ONC) -> None:
    (row,) = client.getDevices({"deviceName": "lidar 001"})

    assert set(row) == {
        "cvTerm", "dataRating", "deviceCategoryCode", "deviceCode", "deviceId", "deviceLink", "deviceName",
        "hasDeviceData",
    }  # fmt: skip
    assert (row["deviceCode"], row["deviceId"]) == ("TUMLIDAR001", 47420)
    assert row["dataRating"][0]["dateTo"] is None


def test_products_come_one_row_per_code_and_extension(client: ONC) -> None:
    rows = client.getDataProducts({"deviceCode": "TUMLIDAR001"})

    assert {(row["dataProductCode"], row["extension"]) for row in rows} == {
        ("LIDARSD", "hdf5"), ("MSRD", "hdf5"), ("SMRD", "hdf5"), ("LIDARRD", "hld"), ("LIDARTOT", "txt"),
        ("LIDARTF", "txt"), ("LF", "txt"),
    }  # fmt: skip
    assert len(rows) == 7
    assert rows[0]["helpDocument"].startswith("https://wiki.oceannetworks.ca/")


def test_availability_agrees_with_the_listing(client: ONC, archive: RunningArchive) -> None:
    archive.set_clock(datetime(2022, 5, 8, tzinfo=UTC))
    window = {"dateFrom": "2022-05-03", "dateTo": "2022-05-04"}

    answer = client.getDataAvailability({"deviceCode": "TUMLIDAR001", "dataProductCode": "LF", **window})
    listed = client.getArchivefile(
        {"deviceCode": "TUMLIDAR001", "dataProductCode": "LF", "returnOptions": "all"}
        | {"dateFrom": "2022-05-03", "dateTo": "2022-05-05"}
    )["files"]

    (row,) = answer["availableDataProducts"]
    assert answer["messages"] == []
    assert answer["next"] is None
    assert (row["dateFrom"], row["dateTo"]) == ("2022-05-03T00:00:00.000Z", "2022-05-05T00:00:00.000Z")
    assert row["fileCount"] == len(listed) == 48
    assert row["totalFileSize"] == sum(file["fileSize"] for file in listed)
    assert row["totalUncompressedFileSize"] == sum(file["uncompressedFileSize"] for file in listed)
    assert row["averageFileCoverage"] == 1.0


def test_availability_by_day_shows_the_day_that_is_not_over(client: ONC) -> None:
    filters = {"deviceCode": "TUMLIDAR001", "extension": "hld", "dateFrom": "2022-05-01", "groupBy": "day"}

    rows = client.getDataAvailability(filters)["availableDataProducts"]

    assert [row["fileCount"] for row in rows] == [24, 11]
    assert rows[1]["maxFileCoverage"] == pytest.approx(11 / 24)
