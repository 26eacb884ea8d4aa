"""What the API answers on the wire: parameters, filters, error bodies, echoes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.config import ArchiveConfig
from tests.support.archive import running_archive
from tests.support.asking import Answer, ask

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.archive import RunningArchive

DEVICE = "TUMLIDAR001"
KEYS = {
    "filename", "dateFrom", "dateTo", "archivedDate", "modifyDate", "fileSize", "uncompressedFileSize", "compression",
    "dataProductCode", "deviceCode", "archiveLocation", "path",
}  # fmt: skip


def _list(archive: RunningArchive, **parameters: Any) -> Answer:
    return ask(archive.api("archivefile/device", **{"deviceCode": DEVICE, **parameters}), timeout=20)


def _moments(answer: Answer, key: str = "dateFrom") -> list[str]:
    return [row[key] for row in answer.json["files"]]


def test_rows_have_the_twelve_keys_and_sizes_of_the_download(archive: RunningArchive) -> None:
    rows = _list(archive, dateFrom="2022-05-02", returnOptions="all").json["files"]

    assert {row["compression"] for row in rows} == {None, "gz"}
    for row in rows[:7]:
        assert set(row) == KEYS
        body = ask(archive.api("archivefile/download", filename=row["filename"])).body
        assert len(body) == row["uncompressedFileSize"]
        assert (row["fileSize"] == len(body)) is (row["compression"] is None)


def test_default_answer_is_names_with_the_option_said(archive: RunningArchive) -> None:
    answer = _list(archive, dateFrom="2022-05-02").json

    assert all(isinstance(row, str) for row in answer["files"])
    assert answer["returnOption"] == "default"
    assert set(answer) == {"files", "next", "queryUrl", "returnOption", "citations"}


def test_archive_location_gives_two_keys(archive: RunningArchive) -> None:
    rows = _list(archive, dateFrom="2022-05-02", returnOptions="archiveLocation").json["files"]

    assert rows
    assert all(set(row) == {"filename", "archiveLocation"} for row in rows)


def test_the_token_is_echoed_in_clear(archive: RunningArchive) -> None:
    answer = _list(archive, dateFrom="2022-05-02", rowLimit=2).json

    assert f"token={archive.token}" in answer["queryUrl"]
    assert f"token={archive.token}" in answer["next"]["url"]
    assert answer["next"]["parameters"]["page"] == 2
    assert ask(answer["next"]["url"]).json["files"] != answer["files"]


@pytest.mark.parametrize("path", ["archivefile/device", "archivefile/download", "deployments", "dataProducts"])
@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_bad_token_is_401_with_code_127(archive: RunningArchive, path: str, token: str) -> None:
    answer = ask(archive.api(path, token=token))

    assert answer.status == 401
    assert answer.json["errors"][0] == {
        "errorCode": 127, "errorMessage": "Invalid parameter value", "parameter": "token",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"dateFrom": "2021-01-02", "dateTo": "2021-01-01"}, 23),
        ({"dateArchivedFrom": "2021-01-02", "dateArchivedTo": "2021-01-01"}, 23),
        ({"dateFrom": "2050-01-01"}, 25),
        ({"deviceCode": "tumlidar001"}, 127),
        ({"dataProductCode": "NOPE"}, 127),
        ({"dateFrom": "yesterday"}, 127),
        ({"dateFrom": "2021-13-01"}, 127),
        ({"dateFrom": "2021-01-01T00:00:00+00:00"}, 127),
        ({"dateFrom": "-P1D", "dateTo": "PT1H"}, 127),
        ({"returnOptions": "everything"}, 127),
        ({"page": "0"}, 127),
        ({"getLatest": "perhaps"}, 127),
        ({"extension": "hdf5"}, 129),
        ({"method": "getListByDevice"}, 129),
        ({"deviceCode": ""}, 128),
    ],
)
def test_bad_requests_are_400_with_their_code(archive: RunningArchive, parameters: dict[str, str], code: int) -> None:
    answer = _list(archive, **parameters)

    assert (answer.status, answer.error_code) == (400, code)
    assert set(parameters) >= set(answer.json["errors"][0]["parameter"].split(","))


def test_downloads_say_length_type_and_name_and_promise_no_more(archive: RunningArchive) -> None:
    name = _list(archive, dateFrom="-PT3H", fileExtension="hdf5").names[0]
    answer = ask(archive.api("archivefile/download", filename=name))

    assert answer.headers["Content-Length"] == str(len(archive.true_bytes(name)))
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert not {"ETag", "Accept-Ranges", "Last-Modified", "Content-Encoding"} & set(answer.headers)


@pytest.mark.parametrize(("filename", "code"), [("FAKEFILE.XYZ", 96), ("../../etc/passwd", 96), ("", 128)])
def test_bad_file_names_are_400(archive: RunningArchive, filename: str, code: int) -> None:
    answer = ask(archive.api("archivefile/download", filename=filename))

    assert (answer.status, answer.error_code) == (400, code)


def test_the_begin_selects_by_overlap_and_the_end_is_exclusive(archive: RunningArchive) -> None:
    within = _list(archive, dateFrom="2022-05-01T10:20:00.000Z", dateTo="2022-05-01T10:21:00.000Z")
    border = _list(archive, dateFrom="2022-05-01T10:00:00.000Z", dateTo="2022-05-01T11:00:00.000Z")
    beyond = _list(archive, dateFrom="2022-05-01T10:00:00.000Z", dateTo="2022-05-01T11:00:00.999Z")

    assert within.names == border.names
    assert all("20220501T100000" in name for name in border.names)
    assert len(beyond.names) == 2 * len(border.names) == 14


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2022-05-01T22:00:00.000Z", "2022-05-02"),
        ("2022-05-01T22:00:00Z", "PT2H"),
        ("-PT2H", "2022-05-02"),
        ("-P1DT1H", "P1D"),
    ],
)
def test_dates_come_as_days_moments_and_durations(archive: RunningArchive, begin: str, end: str) -> None:
    answer = _list(archive, dateFrom=begin, dateTo=end, dataProductCode="LF", returnOptions="all")

    if begin == "-P1DT1H":
        assert answer.error_code == 127
    else:
        assert _moments(answer) == ["2022-05-01T22:00:00.000Z", "2022-05-01T23:00:00.000Z"]


def test_archive_dates_select_by_archive_time_half_open(archive: RunningArchive) -> None:
    rows = _list(archive, dateFrom="2022-05-01", dataProductCode="LF", returnOptions="all").json["files"]
    first, second = rows[3], rows[4]

    since_first = _list(archive, dateArchivedFrom=first["archivedDate"], dataProductCode="LF").names
    between = _list(
        archive, dateArchivedFrom=first["archivedDate"], dateArchivedTo=second["archivedDate"], dataProductCode="LF"
    ).names

    assert since_first[0] == first["filename"]
    assert len(since_first) == len(rows) - 3
    assert between == [first["filename"]]


def test_data_and_archive_dates_both_hold(archive: RunningArchive) -> None:
    answer = _list(archive, dateFrom="2022-05-02", dateArchivedTo="2022-05-02T02:30:00.000Z", dataProductCode="LF")

    assert answer.names == [f"{DEVICE}_20220502T000000.000Z.txt", f"{DEVICE}_20220502T010000.000Z.txt"]


def test_extension_and_product_select(archive: RunningArchive) -> None:
    by_extension = _list(archive, dateFrom="-PT3H", fileExtension="hdf5").names
    by_product = _list(archive, dateFrom="-PT3H", dataProductCode="LIDARSD").names

    assert by_extension
    assert all(name.endswith(".hdf5") for name in by_extension)
    assert by_product
    assert all(name.endswith("-SDAQ-LIDAR.hdf5") for name in by_product)
    assert _list(archive, dateFrom="-PT3H", fileExtension="png").names == []


def test_latest_first_turns_the_order(archive: RunningArchive) -> None:
    ascending = _list(archive, dateFrom="2022-05-02").names
    latest = _list(archive, dateFrom="2022-05-02", getLatest="True", rowLimit=3).names

    assert len(ascending) > 3
    assert latest == ascending[::-1][:3]


@pytest.mark.parametrize("limit", ["0", "-5", "many", "100001", ""])
def test_an_unusable_row_limit_is_the_largest(archive: RunningArchive, limit: str) -> None:
    answer = _list(archive, dateFrom="2022-05-02", rowLimit=limit).json

    assert len(answer["files"]) == 77
    assert answer["next"] is None


def test_a_page_beyond_the_last_is_empty(archive: RunningArchive) -> None:
    answer = _list(archive, dateFrom="2022-05-02", page=9).json

    assert (answer["files"], answer["next"]) == ([], None)


def test_a_smaller_default_page_can_be_set(templates: Path) -> None:
    config = ArchiveConfig(default_row_limit=5, messages=True)
    with running_archive(templates, config) as archive:
        archive.set_clock(datetime(2022, 5, 2, 12, tzinfo=UTC))
        answer = _list(archive, dateFrom="2022-05-02").json

    assert len(answer["files"]) == answer["next"]["parameters"]["rowLimit"] == 5
    assert answer["messages"] == []


def test_files_appear_when_their_archive_time_has_come(archive: RunningArchive) -> None:
    name = f"{DEVICE}_20220502T110000.000Z.txt"
    archive.set_clock(datetime(2022, 5, 2, 13, tzinfo=UTC))
    archived = datetime.fromisoformat(archive.row(name)["archivedDate"])

    archive.set_clock(archived - timedelta(milliseconds=1))
    before = ask(archive.api("archivefile/download", filename=name))
    assert name not in _list(archive, dateFrom="-PT3H").names
    archive.set_clock(archived)

    assert (before.status, before.error_code) == (400, 96)
    assert timedelta(minutes=1) <= archived - datetime(2022, 5, 2, 12, tzinfo=UTC) <= timedelta(minutes=3)
    assert name in _list(archive, dateFrom="-PT3H").names
    assert ask(archive.api("archivefile/download", filename=name)).status == 200


def test_the_date_header_is_the_archive_clock(archive: RunningArchive) -> None:
    assert _list(archive, dateFrom="-PT3H").headers["Date"] == "Mon, 02 May 2022 12:00:00 GMT"


def test_the_log_of_requests_has_all_but_the_token(archive: RunningArchive) -> None:
    _list(archive, dateFrom="-PT3H")
    ask(archive.api("archivefile/download", filename=f"{DEVICE}_20220502T090000.000Z.txt"))

    archive.wait_until_quiet()
    listing, download = archive.requests
    assert listing.parameters == {"deviceCode": DEVICE, "dateFrom": "-PT3H"}
    assert (listing.endpoint, listing.device, listing.status) == ("device", DEVICE, 200)
    assert (download.endpoint, download.device) == ("download", DEVICE)
    assert download.sent == len(archive.true_bytes(str(download.filename)))
    assert archive.token not in repr(archive.requests)
