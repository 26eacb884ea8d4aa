"""The behaviour that the public tests of ONC's own Python client describe, through that client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from onc import ONC

from infra.sandbox.archive.config import ArchiveConfig
from tests.support.archive import running_archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.archive import RunningArchive

DEVICE = "TUMPMTSPECTROMETER001"


@pytest.fixture(scope="module", params=["page", "dateFrom"])
def daily(request: pytest.FixtureRequest, templates: Path) -> Iterator[RunningArchive]:
    """At the real cadence, so that a device has one log a day; once for each way of paging."""
    with running_archive(templates, ArchiveConfig(cadence="real", paging=request.param)) as archive:
        yield archive


@pytest.fixture
def client(daily: RunningArchive, tmp_path: Path) -> ONC:
    return _client(daily, tmp_path)


@pytest.fixture
def by_device() -> dict[str, Any]:
    return {
        "deviceCode": DEVICE,
        "dateFrom": "2021-11-23",
        "dateTo": "2021-11-26",
        "fileExtension": "txt",
        "rowLimit": 80000,
        "page": 1,
    }


@pytest.fixture
def by_location(by_device: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in by_device.items() if name != "deviceCode"}
    return {"locationCode": "STR2", "deviceCategoryCode": "BIOSPECTROMETER", **rest}


@pytest.fixture(params=["by_device", "by_location"])
def filters(request: pytest.FixtureRequest) -> dict[str, Any]:
    chosen: dict[str, Any] = request.getfixturevalue(request.param)
    return chosen


def test_one_page_holds_all_rows_and_no_next(client: ONC, filters: dict[str, Any]) -> None:
    data = client.getArchivefile(filters)

    assert len(data["files"]) > 2
    assert data["next"] is None


def test_small_pages_end_at_the_row_limit(client: ONC, filters: dict[str, Any]) -> None:
    data = client.getArchivefile(filters | {"rowLimit": 2})

    assert len(data["files"]) == 2
    assert data["next"] is not None


@pytest.mark.parametrize("option", [None, "all"])
def test_all_pages_together_are_the_one_page(client: ONC, filters: dict[str, Any], option: str | None) -> None:
    chosen = filters | ({"returnOptions": option} if option else {})

    whole = client.getArchivefile(dict(chosen))
    paged = client.getArchivefile(chosen | {"rowLimit": 2}, allPages=True)

    assert len(whole["files"]) > 2
    assert paged["files"] == whole["files"]
    assert paged["next"] is None


def test_pages_tell_apart_files_that_begin_together(client: ONC) -> None:
    filters = {"deviceCode": DEVICE, "dateFrom": "2021-11-23", "dateTo": "2021-11-24", "returnOptions": "all"}

    whole = client.getArchivefile(dict(filters))
    paged = client.getArchivefile(filters | {"rowLimit": 3}, allPages=True)

    assert len({row["dateFrom"] for row in whole["files"]}) < len(whole["files"])
    assert paged["files"] == whole["files"]


def test_unknown_location_is_error_127(client: ONC, by_location: dict[str, Any]) -> None:
    with pytest.raises(requests.HTTPError, match="API Error 127"):
        client.getArchivefile(by_location | {"locationCode": "XYZ123"})


def test_no_data_is_an_empty_list_by_device(client: ONC, by_device: dict[str, Any]) -> None:
    data = client.getArchivefile(by_device | {"dateFrom": "2000-01-01", "dateTo": "2000-01-02"})

    assert data["files"] == []


def test_no_deployment_is_error_127_by_location(client: ONC, by_location: dict[str, Any]) -> None:
    with pytest.raises(requests.HTTPError, match="API Error 127"):
        client.getArchivefile(by_location | {"dateFrom": "2000-01-01", "dateTo": "2000-01-02"})


def test_the_day_after_a_daily_file_does_not_list_it(client: ONC, by_location: dict[str, Any]) -> None:
    day = by_location | {"dateFrom": "2021-11-26", "dateTo": "2021-11-27", "dataProductCode": "LF"}

    assert client.getArchivefile(day)["files"] == [f"{DEVICE}_20211126T000000.000Z.txt"]


def test_a_download_is_the_true_file_and_is_written_once(
    client: ONC, daily: RunningArchive, by_device: dict[str, Any]
) -> None:
    name = client.getArchivefile(by_device)["files"][0]

    result = client.downloadArchivefile(name)

    assert result["status"] == "completed"
    assert (client.outPath / name).read_bytes() == daily.true_bytes(name)
    with pytest.raises(FileExistsError):
        client.downloadArchivefile(name)
    client.downloadArchivefile(name, overwrite=True)


def test_direct_download_fetches_every_listed_file(client: ONC, filters: dict[str, Any]) -> None:
    listed = client.getArchivefile(dict(filters))["files"]

    result = client.downloadDirectArchivefile(filters)

    assert result["stats"]["fileCount"] == len(listed) > 2
    assert sorted(path.name for path in client.outPath.iterdir()) == sorted(listed)


def test_a_wrong_token_is_status_401(daily: RunningArchive, tmp_path: Path, by_device: dict[str, Any]) -> None:
    stranger = ONC("wrong-token", outPath=tmp_path)
    stranger.baseUrl = daily.url

    with pytest.raises(requests.HTTPError, match="Status 401"):
        stranger.getArchivefile(by_device)


def _client(archive: RunningArchive, folder: Path) -> ONC:
    client = ONC(archive.token, outPath=folder)
    client.baseUrl = archive.url
    return client
