"""Downloads against a server that sends exactly the bytes, silences and resets of each case."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onc_mirror.errors import (
    ArchiveBusyError,
    ConnectionLostError,
    GarbledAnswerError,
    MirrorError,
    NotReadyError,
    ScratchFullError,
    StalledError,
    TokenRejectedError,
    TooLargeError,
    TruncatedBodyError,
    UnsafeNameError,
    WrongBodyError,
    WrongSizeError,
)
from onc_mirror.model import HDF5_SIGNATURE, ArchiveFile
from onc_mirror.transfer.downloading import CHUNK_BYTES, download
from tests.support.opening import CANARY, open_archive
from tests.support.raw_server import Request, answer, raw_server, reset
from tests.support.secrecy import everything_printed

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

NAME = "TUMLIDAR001_20210503T000000.000Z-SDAQ-LIDAR.hdf5"
CONTENT = HDF5_SIGNATURE + os.urandom(300_000)
NOT_READY = answer(json.dumps({"errors": [{"errorCode": 96, "errorMessage": CANARY}]}).encode(), status=400)

if TYPE_CHECKING:
    Handler = Callable[[Request, socket.socket], None]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def listed(size: int | None = len(CONTENT), *, name: str = NAME, **fields: Any) -> ArchiveFile:
    return ArchiveFile(name, "TUMLIDAR001", stored_bytes=size, **fields)


def always(reply: bytes) -> Handler:
    return lambda _, connection: connection.sendall(reply)


def then_close(
    *pieces: bytes, end: Callable[[socket.socket], None] = lambda connection: connection.close()
) -> Handler:
    def send(_: Request, connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
        end(connection)

    return send


def chunked(body: bytes, *, whole: bool = True) -> bytes:
    half = len(body) // 2
    text = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:]) if part)
    return answer(text + (b"0\r\n\r\n" if whole else b""), headers=("Transfer-Encoding: chunked",), length=None)


UNTIL_CLOSED = then_close(answer(CONTENT, length=None))


WHOLE = {
    "length": always(answer(CONTENT)),
    "chunked": always(chunked(CONTENT)),
    "until closed": UNTIL_CLOSED,
    "encoded": always(answer(gzip.compress(CONTENT), headers=("Content-Encoding: gzip",))),
}
# Without a listed size nobody says how long a body is that ends with its connection.
BODIES = [(name, size) for name in WHOLE for size in (len(CONTENT), None) if (name, size) != ("until closed", None)]


@pytest.mark.parametrize(("name", "size"), BODIES)
def test_whole_body_becomes_the_file_with_its_hashes(name: str, size: int | None, tmp_path: Path) -> None:
    handle = WHOLE[name]
    with raw_server(handle) as server, open_archive(server.url) as archive:
        fetched = download(archive, listed(size), tmp_path)

    assert fetched.path == tmp_path / NAME
    assert fetched.path.read_bytes() == CONTENT
    assert fetched.size_bytes == len(CONTENT)
    assert fetched.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert fetched.md5 == hashlib.md5(CONTENT).hexdigest()  # noqa: S324 - not for security
    assert names_in(tmp_path) == [NAME]
    assert server.requests[0].path == "/api/archivefile/download"
    assert server.requests[0].parameters == {"filename": NAME, "token": CANARY}


def test_size_of_a_compressed_row_is_the_uncompressed_one(tmp_path: Path) -> None:
    file = listed(77, name="ONCMJB016_20211011T000000.000Z.txt", uncompressed_bytes=5, compression="gz")

    with raw_server(always(answer(b"hello"))) as server, open_archive(server.url) as archive:
        assert download(archive, file, tmp_path).size_bytes == 5


def test_file_whose_length_nobody_says_is_not_believed_to_be_whole(tmp_path: Path) -> None:
    with (
        raw_server(then_close(answer(CONTENT, length=None))) as server,
        open_archive(server.url) as archive,
        pytest.raises(WrongSizeError, match="Nobody says how long it is"),
    ):
        download(archive, listed(None), tmp_path)

    assert names_in(tmp_path) == []


@pytest.mark.parametrize("handle", [always(answer(CONTENT)), always(chunked(CONTENT))], ids=["length", "chunked"])
def test_file_of_unknown_size_ends_at_the_bound(handle: Handler, tmp_path: Path) -> None:
    with raw_server(handle) as server, open_archive(server.url) as archive:
        with pytest.raises(TooLargeError, match="ONC_MIRROR_SCRATCH_BUDGET"):
            download(archive, listed(None), tmp_path, most_bytes=len(CONTENT) - 1)
        assert names_in(tmp_path) == []
        assert download(archive, listed(None), tmp_path, most_bytes=len(CONTENT)).size_bytes == len(CONTENT)


def test_file_of_listed_size_may_be_larger_than_the_bound(tmp_path: Path) -> None:
    with raw_server(always(answer(CONTENT))) as server, open_archive(server.url) as archive:
        assert download(archive, listed(), tmp_path, most_bytes=1).size_bytes == len(CONTENT)


def test_scratch_that_vanished_is_named(tmp_path: Path) -> None:
    with (
        raw_server(always(answer(CONTENT))) as server,
        open_archive(server.url) as archive,
        pytest.raises(ScratchFullError, match=f"{tmp_path / 'gone'}.*No such file"),
    ):
        download(archive, listed(), tmp_path / "gone" / "slot")


def test_unknown_size_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with raw_server(always(answer(CONTENT))) as server, open_archive(server.url) as archive:
        download(archive, listed(None), tmp_path)

    assert "lists no size" in caplog.text


def test_empty_file_that_is_listed_as_empty_is_a_file(tmp_path: Path) -> None:
    with raw_server(always(answer(b""))) as server, open_archive(server.url) as archive:
        assert download(archive, listed(0), tmp_path).path.read_bytes() == b""


PAGE = b"<!DOCTYPE html><html>Sorry</html>"


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        (always(answer(PAGE)), WrongBodyError),
        (always(answer(PAGE.ljust(len(CONTENT)))), WrongBodyError),
        (always(chunked(PAGE)), WrongBodyError),
        (always(answer(gzip.compress(PAGE), headers=("Content-Encoding: gzip",))), WrongBodyError),
        (always(answer(b'{"errors": []}')), WrongBodyError),
        (always(answer(gzip.compress(CONTENT))), WrongBodyError),
        (always(answer(CONTENT[:-1])), WrongSizeError),
        (always(answer(CONTENT + b"x")), WrongSizeError),
        (always(answer(b"")), WrongSizeError),
        (always(chunked(CONTENT[:-1])), WrongSizeError),
        (always(chunked(CONTENT + b"x")), WrongSizeError),
        (then_close(answer(CONTENT[:-1], length=None)), WrongSizeError),
        (always(answer(gzip.compress(CONTENT[:-9]), headers=("Content-Encoding: gzip",))), WrongSizeError),
        (then_close(answer(CONTENT[:200_000], length=len(CONTENT))), TruncatedBodyError),
        (then_close(answer(CONTENT[:100], length=len(CONTENT))), TruncatedBodyError),
        (then_close(answer(b"", length=len(CONTENT))), TruncatedBodyError),
        (then_close(answer(CONTENT[:200_000], length=len(CONTENT)), end=reset), TruncatedBodyError),
        (then_close(chunked(CONTENT[:200_000], whole=False)), ConnectionLostError),
        (then_close(answer(CONTENT[:200_000], length=None), end=reset), ConnectionLostError),
        (then_close(end=reset), ConnectionLostError),
        (then_close(), ConnectionLostError),
        (always(answer(b"\x1f\x8b nonsense", headers=("Content-Encoding: gzip",))), GarbledAnswerError),
        (always(NOT_READY), NotReadyError),
        (always(answer(status=401)), TokenRejectedError),
        (always(answer(status=503)), ArchiveBusyError),
    ],
    ids=range(25),
)
def test_anything_else_is_an_error_and_leaves_nothing(
    handle: Handler, expected: type[MirrorError], tmp_path: Path
) -> None:
    seen: list[int] = []
    with raw_server(handle) as server, open_archive(server.url) as archive:
        with pytest.raises(MirrorError) as caught:
            download(archive, listed(), tmp_path, progress=seen.append)
        assert len(server.requests) == 1

    assert type(caught.value) is expected
    assert caught.value.subject == (None if expected is TokenRejectedError else NAME)
    assert CANARY not in everything_printed(caught.value)
    assert names_in(tmp_path) == []
    assert sum(seen) == 0


def test_refused_body_is_never_written(tmp_path: Path) -> None:
    seen: list[int] = []

    with (
        raw_server(always(answer(PAGE))) as server,
        open_archive(server.url) as archive,
        pytest.raises(WrongBodyError),
    ):
        download(archive, listed(len(PAGE)), tmp_path, progress=seen.append)

    assert seen == []


def test_download_stops_when_more_comes_than_was_listed(tmp_path: Path) -> None:
    sent = 0

    def pour(_: Request, connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + HDF5_SIGNATURE)
        while sent < 500 * CHUNK_BYTES:
            sent += connection.send(bytes(CHUNK_BYTES))

    largest = 0

    def watch(size: int) -> None:
        nonlocal largest
        largest = max(largest, size)

    with raw_server(pour) as server, open_archive(server.url) as archive, pytest.raises(WrongSizeError):
        download(archive, listed(2 * CHUNK_BYTES), tmp_path, progress=watch)

    assert sent < 100 * CHUNK_BYTES
    assert largest <= CHUNK_BYTES


def test_silence_within_the_body_is_a_stall(tmp_path: Path) -> None:
    def fall_silent(_: Request, connection: socket.socket) -> None:
        connection.sendall(answer(CONTENT[:200_000], length=len(CONTENT)))
        server.over.wait()

    with (
        raw_server(fall_silent) as server,
        open_archive(server.url, stall_timeout_s=0.1) as archive,
        pytest.raises(StalledError) as caught,
    ):
        download(archive, listed(), tmp_path)

    assert CANARY not in everything_printed(caught.value)
    assert names_in(tmp_path) == []


def test_drip_that_would_hold_the_run_is_a_stall(tmp_path: Path) -> None:
    sent = 0

    def drip(_: Request, connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(answer(length=len(CONTENT)))
        while sent < 1000:
            sent += connection.send(CONTENT[sent : sent + 1])
            server.over.wait(0.02)

    with (
        raw_server(drip) as server,
        open_archive(server.url, stall_timeout_s=0.3) as archive,
        pytest.raises(StalledError) as caught,
    ):
        download(archive, listed(), tmp_path)

    assert caught.value.subject == NAME
    assert names_in(tmp_path) == []


def test_slow_drip_is_legal_while_bytes_come(tmp_path: Path) -> None:
    content = CONTENT[:2000]

    def drip(_: Request, connection: socket.socket) -> None:
        connection.sendall(answer(length=len(content)))
        for start in range(0, len(content), 160):
            connection.sendall(content[start : start + 160])
            server.over.wait(0.15)

    with raw_server(drip) as server, open_archive(server.url, stall_timeout_s=1.5) as archive:
        assert download(archive, listed(len(content)), tmp_path).size_bytes == len(content)


def test_good_name_appears_only_when_the_file_is_whole(tmp_path: Path) -> None:
    names: list[list[str]] = []

    with raw_server(always(answer(CONTENT))) as server, open_archive(server.url) as archive:
        download(archive, listed(), tmp_path, progress=lambda _: names.append(names_in(tmp_path)))

    assert names
    assert all(present == [f"{NAME}.part"] for present in names)


def test_progress_adds_up_to_the_file_over_repeated_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    replies = iter(
        [
            then_close(answer(CONTENT[:200_000], length=len(CONTENT))),
            always(answer(status=500)),
            always(answer(CONTENT)),
        ]
    )
    seen: list[int] = []

    def reply_in_turn(request: Request, connection: socket.socket) -> None:
        next(replies)(request, connection)

    with (
        raw_server(reply_in_turn) as server,
        open_archive(server.url, quick_retries=2) as archive,
    ):
        fetched = download(archive, listed(), tmp_path, progress=seen.append)

    assert fetched.path.read_bytes() == CONTENT
    assert sum(seen) == len(CONTENT)
    assert min(seen) < 0
    assert all("range" not in request.headers for request in server.requests)


def test_file_that_is_not_ready_is_asked_for_once(tmp_path: Path) -> None:
    with raw_server(always(NOT_READY)) as server, open_archive(server.url, quick_retries=3) as archive:
        with pytest.raises(NotReadyError):
            download(archive, listed(), tmp_path)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "name", ["", "..", "../up.hdf5", "a/b.hdf5", "/etc/passwd", "a\x00b", "x" * 300, "\ud800.txt"]
)
def test_name_that_could_leave_the_folder_is_refused_before_asking(name: str, tmp_path: Path) -> None:
    with raw_server(always(answer(CONTENT))) as server, open_archive(server.url) as archive:
        with pytest.raises(UnsafeNameError):
            download(archive, listed(name=name), tmp_path)
        assert server.requests == []


def test_connections_are_kept_between_files_and_bounded(tmp_path: Path) -> None:
    def folder(number: int) -> Path:
        path = tmp_path / str(number)
        path.mkdir()
        return path

    with (
        raw_server(always(answer(CONTENT))) as server,
        open_archive(server.url, connections=3) as archive,
        ThreadPoolExecutor(8) as pool,
    ):
        fetched = list(pool.map(lambda number: download(archive, listed(), folder(number)), range(40)))

    assert len({file.sha256 for file in fetched}) == 1
    assert {request.connection for request in server.requests} <= {0, 1, 2}


def test_broken_download_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    replies = iter([answer(PAGE + bytes(3_000_000)), answer(CONTENT[:-1]), answer(CONTENT)])

    with (
        raw_server(lambda _, connection: connection.sendall(next(replies))) as server,
        open_archive(server.url, connections=1) as archive,
    ):
        with pytest.raises(WrongBodyError):
            download(archive, listed(), tmp_path)
        with pytest.raises(WrongSizeError):
            download(archive, listed(), tmp_path)
        assert download(archive, listed(), tmp_path).path.read_bytes() == CONTENT


def test_bytes_behind_the_announced_length_do_not_reach_the_next_file(tmp_path: Path) -> None:
    with (
        raw_server(always(answer(CONTENT + b"HTTP/1.1 200 OK\r\n\r\nghost", length=len(CONTENT)))) as server,
        open_archive(server.url, connections=1) as archive,
    ):
        first = download(archive, listed(), tmp_path)
        second = download(archive, listed(), tmp_path)

    assert first.sha256 == second.sha256 == hashlib.sha256(CONTENT).hexdigest()


@given(cut=st.integers(0, len(CONTENT) - 1), how=st.sampled_from(["length", "announced", "chunked", "until closed"]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_body_cut_anywhere_never_becomes_a_file(cut: int, how: str, tmp_path: Path) -> None:
    body = CONTENT[:cut]
    handle = {
        "length": always(answer(body)),
        "announced": then_close(answer(body, length=len(CONTENT))),
        "chunked": then_close(chunked(body, whole=False)),
        "until closed": then_close(answer(body, length=None)),
    }[how]

    with raw_server(handle) as server, open_archive(server.url) as archive, pytest.raises(MirrorError):
        download(archive, listed(), tmp_path)

    assert names_in(tmp_path) == []


FULL_DISK = """
import resource, sys
from pathlib import Path
from onc_mirror.transfer.downloading import download
from onc_mirror.errors import ScratchFullError
from onc_mirror.model import ArchiveFile
from tests.support.opening import open_archive
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
url, folder, name, size = sys.argv[1:]
seen = []
try:
    with open_archive(url) as archive:
        download(archive, ArchiveFile(name, "X", stored_bytes=int(size)), Path(folder), progress=seen.append)
except ScratchFullError as error:
    assert sum(seen) == 0, seen
    print(error)
"""


def test_full_disk_names_the_folder_and_the_room_that_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "scratch" / "slot"
    folder.mkdir(parents=True)

    with raw_server(always(answer(CONTENT))) as server:
        ended = subprocess.run(
            [sys.executable, "-c", FULL_DISK, server.url, str(folder), NAME, str(len(CONTENT))],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": "."},
        )

    assert NAME in ended.stdout
    assert str(folder.parent) in ended.stdout
    assert "bytes are free" in ended.stdout
    assert CANARY not in ended.stdout + ended.stderr
    assert names_in(folder) == []


@pytest.mark.parametrize("cut", [0, 20, CHUNK_BYTES - 10])
def test_a_body_that_repeats_the_token_is_not_kept(tmp_path: Path, cut: int) -> None:
    page = b"x" * cut + f"cannot fetch http://archive/?token={CANARY}, sorry\n".encode()

    with (
        raw_server(always(answer(page))) as server,
        open_archive(server.url) as archive,
        pytest.raises(WrongBodyError, match="token came back") as caught,
    ):
        download(archive, listed(None, name="20210503T000000.000Z.txt"), tmp_path)

    assert names_in(tmp_path) == []
    assert CANARY not in everything_printed(caught.value)
