"""Answers that would cost the mirror its memory or hold it for ever, on real sockets."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import subprocess
import sys
import threading
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from onc_mirror.archive.parsing import DEEPEST, MOST_MEMORY_BYTES, TooCostlyError, parse_json, reckon_memory
from onc_mirror.errors import GarbledAnswerError, StalledError
from tests.support.opening import CANARY, open_archive
from tests.support.raw_server import Request, answer, raw_server
from tests.support.secrecy import everything_printed

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    Handler = Callable[[Request, socket.socket], None]

DEVICE = "TUMPMTSPECTROMETER002"
MIB = 2**20
GZIPPED = ("Content-Encoding: gzip",)
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"


def always(reply: bytes) -> Handler:
    return lambda _, connection: connection.sendall(reply)


def listing_of(*rows: str) -> bytes:
    return f'{{"files": [{",".join(rows)}]}}'.encode()


def full_page(rows: int, **unknown: Any) -> bytes:
    """Spell a page with the longest names that STRAWb's devices have."""
    row = {
        "filename": "TUMPMTSPECTROMETER002_20211011T%06d.000Z-SDAQ-PMTSPEC.hdf5",
        "dateFrom": "2021-10-11T00:00:00.000Z",
        "dateTo": "2021-10-12T00:00:00.000Z",
        "archivedDate": "2021-10-12T03:55:53.941Z",
        "modifyDate": "2021-10-12T03:55:57.241Z",
        "fileSize": 8585653,
        "uncompressedFileSize": 71139520,
        "compression": None,
        "dataProductCode": "PMTSD",
        "deviceCode": DEVICE,
        "archiveLocation": "/NA_Archive_04",
        "path": "14/10/96",
        **unknown,
    }
    text = json.dumps(row, ensure_ascii=False)
    return listing_of(*(text % number for number in range(rows)))


def test_page_of_all_the_rows_that_fit_one_is_read() -> None:
    page = full_page(100_000, deviceID=23_000, md5="0" * 32)
    last = listing_of(page[page.rindex(b'{"filename"') : -2].decode())
    # A full page makes the client look behind its last row.
    replies = iter([answer(gzip.compress(page, 1), headers=GZIPPED), answer(last)])

    with (
        raw_server(lambda _, connection: connection.sendall(next(replies))) as server,
        open_archive(server.url) as archive,
    ):
        files = archive.list_files(DEVICE).files

    assert len(files) == 100_000
    assert files[-1].filename.startswith(f"{DEVICE}_20211011T099999")


@pytest.mark.parametrize(
    "unknown",
    [{f"key{number}": number for number in range(10)}, {"note": "\N{GRINNING FACE}"}],
    ids=["ten unknown keys", "wide letters"],
)
def test_page_has_room_for_more_than_is_known(unknown: dict[str, Any]) -> None:
    small = full_page(1000, **unknown)

    assert 100 * reckon_memory(small) < MOST_MEMORY_BYTES
    assert len(parse_json(small)["files"]) == 1000


# Made when they are needed, as each is a large part of a hundred megabytes.
BOMBS = {
    "lists within lists": lambda: '{"files": [' + (("[" * 10 + "]" * 10 + ",") * (3 * MIB)),
    "empty lists": lambda: '{"files": [' + "[]," * (21 * MIB),
    "objects": lambda: '{"files": [' + '{"a":1},' * (7 * MIB),
    "keys": lambda: '{"files": [{' + ",".join(f'"{number:x}":{number}' for number in range(3_500_000)) + "}],",
}
PEAK = """
import json, sys
from pathlib import Path
from onc_mirror.errors import GarbledAnswerError
from tests.support.opening import open_archive
try:
    with open_archive(sys.argv[1]) as archive:
        archive.list_files("TUMLIDAR001")
except GarbledAnswerError as error:
    # Not getrusage: its peak begins with that of the process that started this one.
    (peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(json.dumps([str(error), int(peak.split()[1]) // 1024]))
"""


@pytest.mark.parametrize("bomb", BOMBS)
def test_answer_that_would_take_more_memory_than_a_page_is_not_parsed(bomb: str) -> None:
    body = gzip.compress(BOMBS[bomb]().removesuffix(",").encode() + b"]}", 1)

    with raw_server(always(answer(body, headers=GZIPPED))) as server:
        ended = subprocess.run(
            [sys.executable, "-c", PEAK, server.url],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": "."},
        )

    message, peak_mib = json.loads(ended.stdout)
    assert "far more values" in message
    assert peak_mib < 350


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize("levels", [DEEPEST, 400, 980, 100_000])
def test_answer_nested_deeper_than_any_listing_is_refused(levels: int) -> None:
    row = f'{{"filename": "a.hdf5", "x": {deep(levels)}}}'

    with raw_server(always(answer(listing_of(row, row)))) as server, open_archive(server.url) as archive:
        with pytest.raises(GarbledAnswerError, match="nested") as caught:
            archive.list_files(DEVICE)
        with pytest.raises(GarbledAnswerError, match="nested"):
            archive.devices(code=DEVICE)

    assert caught.value.subject == DEVICE
    assert CANARY not in everything_printed(caught.value)


def test_nesting_up_to_the_bound_is_read() -> None:
    assert parse_json(deep(DEEPEST).encode())
    with pytest.raises(TooCostlyError):
        parse_json(deep(DEEPEST + 1).encode())


def test_many_rows_of_one_name_are_told_apart_in_time() -> None:
    rows = [f'{{"filename": "a.hdf5", "fileSize": {number}}}' for number in range(20_000)]

    with raw_server(always(answer(listing_of(*rows, *rows)))) as server, open_archive(server.url) as archive:
        listing = archive.list_files(DEVICE)

    assert (len(listing.files), listing.duplicates) == (20_000, 20_000)


def test_long_messages_of_the_archive_are_cut(caplog: pytest.LogCaptureFixture) -> None:
    body = json.dumps({"files": [], "messages": ["restricted\n" * 9000]}).encode()

    with raw_server(always(answer(body))) as server, open_archive(server.url) as archive:
        archive.list_files(DEVICE)

    (record,) = [record for record in caplog.records if "restricted" in record.getMessage()]
    assert len(record.getMessage()) < 400


def pouring(*parts: bytes | Iterable[bytes], pause_s: float = 0.0) -> Handler:
    """Send each piece of `parts` for itself, with a pause behind it, and close the connection."""
    pieces = [[part] if isinstance(part, bytes) else list(part) for part in parts]

    def pour(_: Request, connection: socket.socket) -> None:
        for piece in itertools.chain.from_iterable(pieces):
            connection.sendall(piece)
            if pause_s:
                threading.Event().wait(pause_s)
        connection.close()

    return pour


STATUS = b"HTTP/1.1 200 OK\r\n"
CHUNKED = answer(headers=("Transfer-Encoding: chunked",), length=None)
ENCODED = answer(headers=GZIPPED, length=None)
GZIP_HEAD = gzip.compress(b"")[:10]
DRIP_S = 0.02
# Three seconds of it, ten times the stall timeout.
DROPS = 150


@pytest.mark.parametrize(
    "handle",
    [
        pouring(STATUS, [b"x"] * DROPS, pause_s=DRIP_S),
        pouring([b"HTTP/1.1 100 Continue\r\n\r\n"] * DROPS, pause_s=DRIP_S),
        pouring(CHUNKED, [b"0"] * DROPS, pause_s=DRIP_S),
        pouring(CHUNKED + b"0\r\n", [b"x: y\r\n"] * DROPS, pause_s=DRIP_S),
        pouring(ENCODED + GZIP_HEAD, [EMPTY_BLOCK] * DROPS, pause_s=DRIP_S),
        pouring(answer(length=1000), [b" "] * DROPS, pause_s=DRIP_S),
    ],
    ids=["head", "interim answers", "chunk size", "trailer", "empty blocks", "body"],
)
def test_drip_anywhere_in_an_answer_is_a_stall(handle: Handler) -> None:
    with raw_server(handle) as server, open_archive(server.url, stall_timeout_s=0.3) as archive:
        with pytest.raises(StalledError) as caught:
            archive.list_files(DEVICE)
        with pytest.raises(StalledError), archive.open_file("a.hdf5") as body:
            body.read(1000)

    assert CANARY not in everything_printed(caught.value)


def flood_of(piece: bytes) -> list[bytes]:
    return [piece * (MIB // len(piece))] * 64


@pytest.mark.parametrize(
    "handle",
    [
        pouring(flood_of(b"HTTP/1.1 100 Continue\r\n\r\n")),
        pouring([b"HTTP/1.1 103 Early Hints\r\n\r\n"] * 11),
        pouring(CHUNKED + b"0\r\n", flood_of(b"x: y\r\n")),
        pouring(ENCODED + GZIP_HEAD, flood_of(EMPTY_BLOCK)),
        pouring(ENCODED, flood_of(gzip.compress(b""))),
    ],
    ids=["interim answers", "interim hints", "trailer", "empty blocks", "empty members"],
)
def test_flood_with_nothing_in_it_is_cut(handle: Handler) -> None:
    with raw_server(handle) as server, open_archive(server.url) as archive:
        with pytest.raises(GarbledAnswerError) as caught:
            archive.list_files(DEVICE)
        with pytest.raises(GarbledAnswerError), archive.open_file("a.hdf5") as body:
            body.read(1000)

    assert caught.value.subject == DEVICE
    assert CANARY not in everything_printed(caught.value)


TEXT = b'{"files": [{"filename": "a.hdf5"}]}'


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints\r\nLink: </x>"])
def test_interim_answers_are_passed_over(status: str) -> None:
    interim = f"HTTP/1.1 {status}\r\n\r\n".encode()

    with (
        raw_server(lambda _, connection: connection.sendall(interim * 3 + answer(TEXT))) as server,
        open_archive(server.url) as archive,
    ):
        first, second = archive.list_files(DEVICE), archive.list_files(DEVICE)

    assert [file.filename for file in first.files] == ["a.hdf5"]
    assert second == first
    assert {request.connection for request in server.requests} == {0}, "the connection was not kept"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(TEXT)[:-9], "gzip"),
        (gzip.compress(TEXT)[:-1], "gzip"),
        (gzip.compress(TEXT) + b"rest", "gzip"),
        (TEXT, "gzip"),
        (zlib.compress(TEXT), "deflate"),
        (gzip.compress(gzip.compress(TEXT)), "gzip, gzip"),
        (TEXT, "br"),
    ],
    ids=["cut", "cut in the checksum", "rest", "plain", "deflate", "twice", "unknown"],
)
def test_body_that_is_not_one_whole_gzip_is_an_error(body: bytes, encoding: str) -> None:
    reply = answer(body, headers=(f"Content-Encoding: {encoding}",))

    with (
        raw_server(always(reply)) as server,
        open_archive(server.url) as archive,
        pytest.raises(GarbledAnswerError, match="not encoded") as caught,
    ):
        archive.list_files(DEVICE)

    assert caught.value.subject == DEVICE


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_gzip_of_several_members_and_any_size_is_undone(encoding: str) -> None:
    content = os.urandom(3 * MIB) + bytes(40 * MIB)
    members = gzip.compress(content[: 2 * MIB], 1) + gzip.compress(b"") + gzip.compress(content[2 * MIB :], 1)
    reply = answer(members, headers=(f"Content-Encoding: {encoding}",))

    with (
        raw_server(always(reply)) as server,
        open_archive(server.url) as archive,
        archive.open_file("a.hdf5") as body,
    ):
        pieces = [body.read(1000), *iter(lambda: body.read(MIB), b"")]

    assert b"".join(pieces) == content
    assert {len(piece) for piece in pieces[1:-1]} == {MIB}


def test_encoded_body_without_a_byte_is_empty() -> None:
    reply = answer(headers=GZIPPED)

    with raw_server(always(reply)) as server, open_archive(server.url) as archive, archive.open_file("a") as body:
        assert body.read(10) == b""
