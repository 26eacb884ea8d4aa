"""Faults of the network and of the server, as a client meets them."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import urllib3

from infra.sandbox.archive.config import ArchiveConfig
from infra.sandbox.archive.faults import Kind
from tests.support.archive import running_archive
from tests.support.asking import ask, streaming

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.archive import RunningArchive

NOON = datetime(2022, 5, 2, 12, tzinfo=UTC)
NAME = "TUMLIDAR001_20220502T090000.000Z-SDAQ-LIDAR.hdf5"


@pytest.fixture
def url(archive: RunningArchive) -> str:
    return archive.api("archivefile/download", filename=NAME)


def _read(url: str, *, timeout: float = 5.0) -> tuple[bytes, type[Exception] | None]:
    """The bytes that came, and what ended them."""
    got = b""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=timeout)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        response = connection.getresponse()
        while block := response.read1(65536):
            got += block
    except (OSError, http.client.HTTPException) as error:
        return got, type(error)
    finally:
        connection.close()
    return got, None


@pytest.mark.parametrize("after", [None, 0, 1000])
def test_a_stall_sends_some_bytes_and_then_nothing(archive: RunningArchive, url: str, after: int | None) -> None:
    archive.fault(Kind.STALL, after_bytes=after)
    size = len(archive.true_bytes(NAME))

    began = time.monotonic()
    got, end = _read(url, timeout=0.4)

    assert end is TimeoutError
    assert time.monotonic() - began >= 0.4
    assert got == archive.true_bytes(NAME)[: size // 2 if after is None else after]


def test_a_reset_is_a_reset_after_the_first_bytes(archive: RunningArchive, url: str) -> None:
    archive.fault(Kind.RESET, after_bytes=5000)

    got, end = _read(url)

    assert end is ConnectionResetError
    assert len(got) <= 5000


def test_a_cut_ends_before_the_announced_length(archive: RunningArchive, url: str) -> None:
    archive.fault(Kind.CUT, after_bytes=5000)

    with streaming(url) as response:
        assert response.headers["Content-Length"] == str(len(archive.true_bytes(NAME)))
        with pytest.raises(urllib3.exceptions.ProtocolError, match="IncompleteRead"):
            response.read()


def test_a_body_without_content_length_is_chunked_and_whole(archive: RunningArchive, url: str) -> None:
    archive.fault(Kind.NO_CONTENT_LENGTH)

    answer = ask(url)

    assert "Content-Length" not in answer.headers
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.body == archive.true_bytes(NAME)


def test_a_chunked_body_can_be_cut(archive: RunningArchive, url: str) -> None:
    archive.fault(Kind.CHUNKED_CUT)

    with streaming(url) as response:
        assert "Content-Length" not in response.headers
        with pytest.raises(urllib3.exceptions.ProtocolError):
            response.read()


@pytest.mark.parametrize(
    ("kind", "seconds", "expected"),
    [
        (Kind.TOO_MANY_REQUESTS, None, (429, "1")),
        (Kind.TOO_MANY_REQUESTS, 0.25, (429, "0.25")),
        (Kind.UNAVAILABLE, None, (503, None)),
        (Kind.UNAVAILABLE, 7, (503, "7")),
        (Kind.SERVER_ERROR, None, (500, None)),
        (Kind.STATUS, None, (502, None)),
    ],
)
def test_the_server_can_fail(
    archive: RunningArchive, kind: Kind, seconds: float | None, expected: tuple[int, str | None]
) -> None:
    archive.fault(kind, seconds=seconds)

    answer = ask(archive.api("archivefile/download", filename=NAME))

    assert (answer.status, answer.headers.get("Retry-After")) == expected


@pytest.mark.parametrize(("kind", "begin"), [(Kind.HTML, b"<!DOCTYPE html>"), (Kind.JSON, b'{"errors"')])
def test_a_page_can_stand_in_for_a_file_with_status_200(
    archive: RunningArchive, url: str, kind: Kind, begin: bytes
) -> None:
    archive.fault(kind)

    answer = ask(url)

    assert answer.status == 200
    assert answer.body.startswith(begin)
    assert len(answer.body) == int(answer.headers["Content-Length"])


def test_slow_is_as_slow_as_it_was_told(archive: RunningArchive, url: str) -> None:
    size = len(archive.true_bytes(NAME))
    archive.fault(Kind.SLOW, bytes_per_second=2 * size)

    began = time.monotonic()
    answer = ask(url)

    assert answer.body == archive.true_bytes(NAME)
    assert time.monotonic() - began >= 0.45


def test_latency_comes_before_the_answer(archive: RunningArchive) -> None:
    archive.fault(Kind.LATENCY, seconds=0.3)

    began = time.monotonic()

    assert ask(archive.api("deployments")).status == 200
    assert time.monotonic() - began >= 0.3


def test_a_revoked_token_is_401_everywhere_until_it_is_restored(archive: RunningArchive, url: str) -> None:
    number = archive.fault(Kind.TOKEN_REVOKED)

    for call in (url, archive.api("deployments"), archive.api("archivefile/device", deviceCode="TUMLIDAR001")):
        answer = ask(call)
        assert (answer.status, answer.error_code) == (401, 127)
    archive.faults.remove(number)
    assert ask(url).status == 200


def test_faults_count_down_and_hit_what_they_are_aimed_at(archive: RunningArchive, url: str) -> None:
    archive.fault(Kind.SERVER_ERROR, filename="*-SDAQ-LIDAR.hdf5", count=2)
    archive.fault(Kind.UNAVAILABLE, device="TUMLIDAR002")
    archive.fault(Kind.TOO_MANY_REQUESTS, endpoint="deployments")

    other = archive.api("archivefile/download", filename="TUMLIDAR001_20220502T090000.000Z.txt")
    second = archive.api("archivefile/device", deviceCode="TUMLIDAR002", dateFrom="-PT3H")
    place = archive.api("archivefile/location", locationCode="STR10", deviceCategoryCode="LIDAR", dateFrom="-PT3H")

    assert [ask(call).status for call in (other, url, url, url)] == [200, 500, 500, 200]
    assert [ask(call).status for call in (second, place, second)] == [503, 503, 503]
    assert [ask(archive.api(path)).status for path in ("deployments", "devices")] == [429, 200]
    assert [served.faults for served in archive.requests_for("download", filename=NAME)] == [
        ("server-error",), ("server-error",), (),
    ]  # fmt: skip


def test_a_client_that_hangs_does_not_keep_the_archive_from_stopping(templates: Path) -> None:
    with running_archive(templates) as archive:
        archive.set_clock(NOON)
        archive.fault(Kind.STALL)
        with streaming(archive.api("archivefile/download", filename=NAME)) as response:
            assert response.status == 200
            began = time.monotonic()
            archive.stop()
            took = time.monotonic() - began

    assert took < 3


class TestDeaf:
    @pytest.fixture
    def deaf(self, templates: Path) -> Iterator[RunningArchive]:
        """An archive of its own, as being deaf concerns everybody who would connect."""
        with running_archive(templates, ArchiveConfig(size=600_000)) as archive:
            archive.set_clock(NOON)
            yield archive

    def test_new_connections_time_out_and_come_again_later(self, deaf: RunningArchive) -> None:
        deaf.fault(Kind.CONNECT_TIMEOUT, seconds=1.2, count=1)
        call = deaf.api("deployments")

        assert _read(call)[1] in {http.client.RemoteDisconnected, ConnectionResetError}
        began = time.monotonic()
        with pytest.raises(urllib3.exceptions.ConnectTimeoutError):
            ask(call, timeout=0.3)
        assert 0.25 < time.monotonic() - began < 1.0
        assert ask(call, timeout=10).status == 200

    def test_transfers_under_way_go_on(self, deaf: RunningArchive) -> None:
        name, size = NAME, len(deaf.true_bytes(NAME))
        deaf.fault(Kind.SLOW, bytes_per_second=size, endpoint="download")
        deaf.fault(Kind.CONNECT_TIMEOUT, seconds=1, endpoint="deployments")
        bodies: list[bytes] = []
        download = threading.Thread(
            target=lambda: bodies.append(ask(deaf.api("archivefile/download", filename=name)).body)
        )

        download.start()
        _wait_for_first_byte(deaf)
        _read(deaf.api("deployments"))
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", int(urlsplit(deaf.url).port or 0)), timeout=0.2)
        download.join()

        assert bodies == [deaf.true_bytes(name)]


def _wait_for_first_byte(archive: RunningArchive) -> None:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if any(served.sent for served in archive.requests_for("download")):
            return
        time.sleep(0.01)
    raise TimeoutError
