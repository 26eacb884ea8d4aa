"""How many files the archive says it has: what is asked, what is made of the answer, and of answers that are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.archive import Counted
from onc_mirror.archive.availability import count_files
from onc_mirror.errors import ArchiveBusyError, GarbledAnswerError, ListingIncompleteError, UnknownDeviceError
from onc_mirror.model import TimeWindow
from tests.support.opening import open_archive
from tests.support.secrecy import everything_printed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.archive import RunningArchive

NOON = datetime(2022, 5, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DEVICE = "TUMPMTSPECTROMETER001"
YESTERDAY = TimeWindow(datetime(2022, 5, 1, tzinfo=UTC), datetime(2022, 5, 2, tzinfo=UTC))

# As ONC's own client documents it.
ROW = {
    "averageFileCoverage": 0.875,
    "dataProductCode": "LF",
    "dateFrom": "2019-11-23T00:00:00.000Z",
    "dateTo": "2019-12-01T00:00:00.000Z",
    "deviceCode": "BPR-Folger-59",
    "extension": "txt",
    "fileCount": 7,
    "totalFileSize": 8707618,
    "totalUncompressedFileSize": 33868912,
}


@pytest.fixture
def sea(archive: RunningArchive) -> RunningArchive:
    archive.set_clock(NOON)
    return archive


def count(sea: RunningArchive, window: TimeWindow = YESTERDAY, device: str = DEVICE) -> tuple[Counted, ...]:
    with open_archive(sea.url, token=sea.token) as opened:
        return opened.count_files(device, window)


def test_the_counts_of_a_day_are_those_of_its_listing(sea: RunningArchive) -> None:
    with open_archive(sea.url, token=sea.token) as opened:
        listed = opened.list_files(DEVICE, data=YESTERDAY).files
        counted = opened.count_files(DEVICE, YESTERDAY)

    assert len(counted) > 3
    for one in counted:
        files = [file for file in listed if (file.product_code, file.extension) == (one.product_code, one.extension)]
        assert one.files == len(files) > 0
        assert one.stored_bytes == sum(file.stored_bytes or 0 for file in files)
        assert one.plain_bytes == sum(file.uncompressed_bytes or 0 for file in files)
    assert sum(one.files for one in counted) == len(listed)


def test_no_day_after_the_window_is_counted(sea: RunningArchive) -> None:
    counted = count(sea, TimeWindow(YESTERDAY.since - DAY, YESTERDAY.until))

    assert {(one.since, one.until) for one in counted} == {
        (YESTERDAY.since - DAY, YESTERDAY.since),
        (YESTERDAY.since, YESTERDAY.until),
    }


def test_a_window_in_the_future_is_empty_without_asking(sea: RunningArchive) -> None:
    sea.forget_requests()
    future = datetime.now(UTC) + DAY

    assert count(sea, TimeWindow(future, future + DAY)) == ()
    assert sea.requests == ()


def test_a_row_may_span_many_days() -> None:
    (one,) = count_files(lambda _: {"availableDataProducts": [ROW], "next": None}, DEVICE, YESTERDAY)

    assert one == Counted(
        "LF", "txt", datetime(2019, 11, 23, tzinfo=UTC), datetime(2019, 12, 1, tzinfo=UTC), 7, 8707618, 33868912
    )


def test_all_pages_are_read_and_none_is_asked_with_the_token_it_names() -> None:
    asked: list[Mapping[str, str]] = []

    def fetch(parameters: Mapping[str, str]) -> Any:
        asked.append(parameters)
        page = len(asked)
        following = {"parameters": {"page": page + 1, "token": "c4nary"}} if page < 3 else None
        return {"availableDataProducts": [ROW], "next": following}

    assert len(count_files(fetch, DEVICE, YESTERDAY)) == 3
    assert [parameters.get("page") for parameters in asked] == [None, "2", "3"]
    assert not any("token" in parameters for parameters in asked)


def test_pages_that_loop_are_refused() -> None:
    loop = {"availableDataProducts": [ROW], "next": {"parameters": {"page": 1}}}

    with pytest.raises(ListingIncompleteError):
        count_files(lambda _: loop, DEVICE, YESTERDAY)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {"files": []},
        {"availableDataProducts": ["row"]},
        {"availableDataProducts": [ROW | {"fileCount": None}]},
        {"availableDataProducts": [ROW | {"dateTo": "soon"}]},
        {"availableDataProducts": [], "next": "more"},
    ],
)
def test_an_answer_that_does_not_count_is_garbled(answer: Any) -> None:
    with pytest.raises(GarbledAnswerError):
        count_files(lambda _: answer, DEVICE, YESTERDAY)


def test_trouble_is_named_without_the_token(sea: RunningArchive) -> None:
    sea.fault(Kind.SERVER_ERROR, endpoint="dataAvailability")

    with pytest.raises(ArchiveBusyError) as caught:
        count(sea)

    assert sea.token not in everything_printed(caught.value)


def test_a_device_that_is_not_there_is_unknown(sea: RunningArchive) -> None:
    with pytest.raises(UnknownDeviceError):
        count(sea, device="NOSUCHDEVICE")
