"""Every way in which the archive or the network fails has its type, says what to do, and keeps the token."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.certificates import self_signed
from onc_mirror.archive.answers import parse_api_error, retry_after
from onc_mirror.errors import (
    ArchiveBusyError,
    ConnectionLostError,
    ConnectTimeoutError,
    GarbledAnswerError,
    MirrorError,
    NotReadyError,
    RefusedError,
    RequestRejectedError,
    SettingsError,
    StalledError,
    TokenRejectedError,
    TruncatedBodyError,
    UnknownDeviceError,
    UnknownHostError,
    UnreachableError,
    UntrustedError,
)
from onc_mirror.model import ArchiveFile
from tests.support.opening import CANARY, open_archive
from tests.support.raw_server import Request, answer, raw_server, reset, unused_url
from tests.support.secrecy import everything_printed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEVICE = "TUMLIDAR001"
ENDS_OF_TIME = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def api_error(code: int, parameter: str = "deviceCode", text: str = "Invalid value") -> bytes:
    echo = f"{text} in /api?token={CANARY}&deviceCode=X and {CANARY} again"
    return json.dumps({"errors": [{"errorCode": code, "errorMessage": echo, "parameter": parameter}]}).encode()


def failure_of(handle: Callable[[Request, socket.socket], None], **options: Any) -> MirrorError:
    """Return what a listing raises when the server does what `handle` does."""
    with (
        raw_server(handle) as server,
        open_archive(server.url, **options) as archive,
        pytest.raises(MirrorError) as caught,
    ):
        archive.list_files(DEVICE)
    assert server.requests, "the failure must come from the server"
    return caught.value


def always(reply: bytes) -> Callable[[Request, socket.socket], None]:
    return lambda _, connection: connection.sendall(reply)


@pytest.mark.parametrize(
    ("status", "body", "expected", "api_code"),
    [
        (401, api_error(127, "token"), TokenRejectedError, 127),
        (401, b"<html>who are you?", TokenRejectedError, None),
        (400, api_error(127, "token"), TokenRejectedError, 127),
        (400, api_error(127), UnknownDeviceError, 127),
        (400, api_error(127, "fileExtension"), RequestRejectedError, 127),
        (400, api_error(96, "filename"), NotReadyError, 96),
        (400, api_error(129, "stray"), RequestRejectedError, 129),
        (400, api_error(25, "dateFrom"), RequestRejectedError, 25),
        (400, b"", RequestRejectedError, None),
        (403, b"", RequestRejectedError, None),
        (404, b"", RequestRejectedError, None),
        (408, b"", ArchiveBusyError, None),
        (429, b"", ArchiveBusyError, None),
        (500, b"Traceback", ArchiveBusyError, None),
        (503, b"<html>maintenance</html>", ArchiveBusyError, None),
        (598, b"", ArchiveBusyError, None),
        (204, b"", GarbledAnswerError, None),
        (304, b"", GarbledAnswerError, None),
        (302, b"", GarbledAnswerError, None),
        (200, b"<html>welcome</html>", GarbledAnswerError, None),
        (200, b"", GarbledAnswerError, None),
        (200, b"[" * 100_000, GarbledAnswerError, None),
        (200, b"[]", GarbledAnswerError, None),
        (200, b"null", GarbledAnswerError, None),
    ],
)
def test_answer_becomes_the_error_it_means(
    status: int, body: bytes, expected: type[MirrorError], api_code: int | None
) -> None:
    error = failure_of(always(answer(body, status=status)))

    assert type(error) is expected
    assert error.api_code == api_code
    assert error.subject == (None if expected is TokenRejectedError else DEVICE)
    assert error.status == (None if status == 200 else status)
    assert str(error.args[0]).endswith(".")
    assert CANARY not in everything_printed(error)


def slam(_: Request, connection: socket.socket) -> None:
    reset(connection)


def hang_up(_: Request, connection: socket.socket) -> None:
    connection.close()


def cut(_: Request, connection: socket.socket) -> None:
    connection.sendall(answer(b'{"files": [', length=1000))
    connection.close()


def cut_chunked(_: Request, connection: socket.socket) -> None:
    connection.sendall(answer(b'5\r\n{"fil\r\n', headers=("Transfer-Encoding: chunked",), length=None))
    connection.close()


def chatter(_: Request, connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example.org ESMTP\r\n")
    connection.close()


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        (slam, ConnectionLostError),
        (hang_up, ConnectionLostError),
        (chatter, ConnectionLostError),
        (cut, TruncatedBodyError),
        (cut_chunked, ConnectionLostError),
        (always(answer(b"not gzip", headers=("Content-Encoding: gzip",))), GarbledAnswerError),
    ],
    ids=["reset", "closed", "not HTTP", "cut", "cut between chunks", "not gzip"],
)
def test_broken_connection_becomes_the_error_it_means(
    handle: Callable[[Request, socket.socket], None], expected: type[MirrorError]
) -> None:
    error = failure_of(handle)

    assert type(error) is expected
    assert error.subject == DEVICE
    assert CANARY not in everything_printed(error)


@pytest.mark.parametrize("begun", [b"", answer(b'{"files"', length=1000)], ids=["before", "within"])
def test_silence_is_a_stall(begun: bytes) -> None:
    def fall_silent(_: Request, connection: socket.socket) -> None:
        connection.sendall(begun)
        server_over.wait()

    with raw_server(fall_silent) as server, open_archive(server.url, stall_timeout_s=0.1) as archive:
        server_over = server.over
        with pytest.raises(StalledError) as caught:
            archive.list_files(DEVICE)

    assert CANARY not in everything_printed(caught.value)


def test_slow_bytes_are_no_stall() -> None:
    def drip(_: Request, connection: socket.socket) -> None:
        connection.sendall(answer(length=24))
        for piece in [b'{"files": []}', *[b" "] * 11]:
            connection.sendall(piece)
            server_over.wait(0.15)

    with raw_server(drip) as server, open_archive(server.url, stall_timeout_s=1.5) as archive:
        server_over = server.over
        assert archive.list_files(DEVICE).files == ()


def test_nobody_there_is_a_refused_connection() -> None:
    url = unused_url()
    with open_archive(url) as archive, pytest.raises(RefusedError) as caught:
        archive.list_files(DEVICE)

    assert f"127.0.0.1 refuses it at port {url.rstrip('/').rpartition(':')[2]}" in str(caught.value)

    assert CANARY not in everything_printed(caught.value)


def test_a_network_without_a_way_there_is_told_in_the_words_of_the_system() -> None:
    # Broadcast: the kernel refuses to connect a stream to it, as it does when there is no route.
    with open_archive("http://255.255.255.255/") as archive, pytest.raises(UnreachableError) as caught:
        archive.list_files(DEVICE)

    assert type(caught.value) is UnreachableError
    assert "unreachable" in str(caught.value)
    assert CANARY not in everything_printed(caught.value)


def test_unanswered_connection_is_a_connect_timeout() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(deaf.getsockname())
        with open_archive(url, connect_timeout_s=0.2) as archive, pytest.raises(ConnectTimeoutError) as caught:
            archive.list_files(DEVICE)
        for client in waiting:
            client.close()

    assert CANARY not in everything_printed(caught.value)


def test_unknown_host_is_named() -> None:
    with open_archive("http://archive.invalid/") as archive, pytest.raises(UnknownHostError) as caught:
        archive.list_files(DEVICE)

    assert "the name archive.invalid does not resolve" in str(caught.value)

    assert CANARY not in everything_printed(caught.value)


def greet(listener: socket.socket, do: Callable[[socket.socket], object]) -> None:
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError):
        do(connection)
        connection.recv(4096)


def https_url(listener: socket.socket) -> str:
    return f"https://127.0.0.1:{listener.getsockname()[1]}/"


@pytest.fixture
def certified(tmp_path: Path) -> ssl.SSLContext:
    """A server's TLS context with a certificate for which nobody vouches."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path))
    return context


def test_certificate_nobody_vouches_for_is_refused_with_advice(certified: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        greeter = threading.Thread(
            target=lambda: greet(listener, lambda connection: certified.wrap_socket(connection, server_side=True))
        )
        greeter.start()
        with open_archive(https_url(listener)) as archive, pytest.raises(UntrustedError) as caught:
            archive.list_files(DEVICE)
        greeter.join()

    assert "SSL_CERT_FILE" in str(caught.value)
    assert CANARY not in everything_printed(caught.value)


def test_plain_server_behind_https_is_an_error_of_its_type() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        greeter = threading.Thread(
            target=lambda: greet(listener, lambda connection: connection.sendall(b"220 Hi\r\n"))
        )
        greeter.start()
        with open_archive(https_url(listener)) as archive, pytest.raises(UntrustedError) as caught:
            archive.list_files(DEVICE)
        greeter.join()

    assert CANARY not in everything_printed(caught.value)


@pytest.mark.parametrize("url", ["", "ftp://x/", "data.oceannetworks.ca", "https://"])
def test_address_that_is_none_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsError, match="ONC_MIRROR_ARCHIVE_URL"):
        open_archive(url)


def test_redirect_on_the_same_host_is_followed_with_the_token() -> None:
    def move(request: Request, connection: socket.socket) -> None:
        if request.path == "/api/archivefile/device":
            connection.sendall(answer(status=301, headers=("Location: /api/v2/archivefile/device",)))
        else:
            connection.sendall(answer(b'{"files": [{"filename": "a.hdf5"}]}'))

    with raw_server(move) as server, open_archive(server.url) as archive:
        listing = archive.list_files(DEVICE)

    assert [file.filename for file in listing.files] == ["a.hdf5"]
    assert server.requests[1].parameters == server.requests[0].parameters
    assert server.requests[1].parameters["token"] == CANARY


@pytest.mark.parametrize(
    "target",
    [
        "http://localhost:{port}/api",
        "http://127.0.0.1:1/",
        "https://127.0.0.1:{port}/",
        "http://127.0.0.1:99999/",
        "http://[::1",
        "mailto:x",
    ],
)
def test_redirect_elsewhere_is_not_followed(target: str) -> None:
    def send_away(request: Request, connection: socket.socket) -> None:
        location = target.format(port=connection.getsockname()[1])
        connection.sendall(answer(status=302, headers=(f"Location: {location}?token={request.parameters['token']}",)))

    with raw_server(send_away) as server, open_archive(server.url) as archive:
        with pytest.raises(GarbledAnswerError, match="another host") as caught:
            archive.list_files(DEVICE)
        assert len(server.requests) == 1

    assert CANARY not in everything_printed(caught.value)


def test_redirects_in_circles_end() -> None:
    error = failure_of(always(answer(status=302, headers=("Location: /api/archivefile/device?a=b",))))

    assert type(error) is GarbledAnswerError


def test_debug_log_of_the_http_library_is_redacted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with raw_server(always(answer(b'{"files": []}'))) as server, open_archive(server.url) as archive:
        archive.list_files(DEVICE)

    assert "/api/archivefile/device" in caplog.text
    assert CANARY not in caplog.text


def test_warning_of_the_http_library_about_a_garbled_head_is_redacted(caplog: pytest.LogCaptureFixture) -> None:
    reply = b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 13\r\n\r\n" + b'{"files": []}'

    def send(_: Request, connection: socket.socket) -> None:
        connection.sendall(reply)
        connection.close()

    with (
        raw_server(send) as server,
        open_archive(server.url) as archive,
        contextlib.suppress(GarbledAnswerError),
    ):
        archive.list_files(DEVICE)

    assert "Failed to parse headers" in caplog.text
    assert CANARY not in caplog.text


def test_nothing_of_the_client_shows_the_token() -> None:
    with open_archive("http://127.0.0.1:1/") as archive:
        shown = repr(archive) + repr(vars(archive)) + repr(vars(vars(archive)["_transport"]))

    assert CANARY not in shown


def test_transient_failures_are_repeated_and_then_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    no_waiting(monkeypatch)
    replies = iter([answer(status=503), answer(b"<html>"), answer(b'{"files": []}')])

    with (
        raw_server(lambda _, connection: connection.sendall(next(replies))) as server,
        open_archive(server.url, quick_retries=2) as archive,
    ):
        assert archive.list_files(DEVICE).files == ()

    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("reply", "expected", "attempts"),
    [
        (answer(status=503), ArchiveBusyError, 3),
        (answer(status=429, headers=("Retry-After: 0",)), ArchiveBusyError, 3),
        (answer(status=429, headers=("Retry-After: 61",)), ArchiveBusyError, 1),
        (answer(api_error(96), status=400), NotReadyError, 1),
        (answer(status=401), TokenRejectedError, 1),
        (answer(api_error(127), status=400), UnknownDeviceError, 1),
    ],
    ids=["busy", "asked to come at once", "asked to come later", "not ready", "bad token", "unknown device"],
)
def test_only_what_may_pass_in_a_moment_is_repeated(
    monkeypatch: pytest.MonkeyPatch, reply: bytes, expected: type[MirrorError], attempts: int
) -> None:
    no_waiting(monkeypatch)
    with raw_server(always(reply)) as server, open_archive(server.url, quick_retries=2) as archive:
        with pytest.raises(expected) as caught:
            archive.list_files(DEVICE)
        assert len(server.requests) == attempts

    assert CANARY not in everything_printed(caught.value)


def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Do not wait between attempts; return the list of the waits that were asked for."""
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    return waits


def test_retry_after_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = no_waiting(monkeypatch)
    replies = iter([answer(status=429, headers=("Retry-After: 7",)), answer(status=503), answer(b'{"files": []}')])

    with (
        raw_server(lambda _, connection: connection.sendall(next(replies))) as server,
        open_archive(server.url, quick_retries=2) as archive,
    ):
        archive.list_files(DEVICE)

    assert 7 <= waits[0] <= 7.5
    assert 0.5 <= waits[1] <= 2


def test_long_retry_after_is_told() -> None:
    error = failure_of(always(answer(status=429, headers=("Retry-After: 600",))), quick_retries=2)

    assert error.retry_after_s == 600


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12", 12.0),
        (format_datetime(datetime(2026, 1, 1, 0, 1, tzinfo=UTC), usegmt=True), 60.0),
        (format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True), 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str, expected: float | None) -> None:
    now = format_datetime(datetime(2026, 1, 1, tzinfo=UTC), usegmt=True)

    assert retry_after({"Retry-After": value, "Date": now}) == expected


def test_retry_after_without_a_date_header_is_measured_by_our_clock() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    assert 90 < (retry_after({"Retry-After": soon}) or 0) <= 100


@pytest.mark.parametrize(
    "body", [b"", b"7", b"{}", b'{"errors": []}', b'{"errors": [3]}', b'{"errors": 3}', b"{" * 9000]
)
def test_strange_error_bodies_say_nothing(body: bytes) -> None:
    assert parse_api_error(body).code is None


def test_text_of_the_archive_stays_on_one_short_line() -> None:
    error = parse_api_error(json.dumps({"errors": [{"errorCode": 1, "errorMessage": "a\nb\x1b[2J" * 500}]}).encode())

    assert len(error.text) <= 200
    assert error.text.isprintable()


@pytest.mark.parametrize(
    "value",
    [
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Fri, 31 Dec 99999999999999999999 23:59:59 GMT",
        "9" * 5000,
    ],
    ids=["last", "year", "digits"],
)
def test_absurd_retry_after_asks_nothing(value: str) -> None:
    assert retry_after({"Retry-After": value}) is None
    assert retry_after({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT", "Date": value}) == 0


@pytest.mark.parametrize("body", [b"", b"<html>Not Found</html>", b"Not Found"], ids=["empty", "page", "text"])
def test_404_of_some_web_server_is_not_read_as_none(body: bytes) -> None:
    with raw_server(always(answer(body, status=404))) as server, open_archive(server.url) as archive:
        for ask in (
            lambda: archive.devices(code=DEVICE),
            lambda: archive.products(DEVICE),
            lambda: archive.deployments(DEVICE),
        ):
            with pytest.raises(GarbledAnswerError, match="ONC_MIRROR_ARCHIVE_URL"):
                ask()


@pytest.mark.parametrize("body", [b"{}", b'{"errors": []}', b'{"message": "Not Found"}'])
def test_404_of_the_api_means_none(body: bytes) -> None:
    with raw_server(always(answer(body, status=404))) as server, open_archive(server.url) as archive:
        assert archive.devices(code=DEVICE) == ()
        assert archive.products(DEVICE) == ()
        assert archive.deployments(DEVICE) == ()


@pytest.mark.parametrize("begins_at", ENDS_OF_TIME, ids=["first", "last"])
def test_hostile_row_can_be_asked_for_again(begins_at: datetime) -> None:
    file = ArchiveFile("name", "lone \ud800", begins_at=begins_at)

    with raw_server(always(answer(b'{"files": ["name"]}'))) as server, open_archive(server.url) as archive:
        assert archive.still_lists(file)


def test_a_cached_front_page_is_as_old_as_it_says() -> None:
    headers = (f"Date: {format_datetime(datetime.now(UTC) - timedelta(hours=6), usegmt=True)}", "Age: 21600")

    with raw_server(always(answer(headers=headers))) as server, open_archive(server.url) as archive:
        assert abs(archive.measure_clock()) < timedelta(seconds=5)


@pytest.mark.parametrize("silent", [False, True])
def test_the_api_tells_the_time_where_the_front_page_does_not(*, silent: bool) -> None:
    date = f"Date: {format_datetime(datetime.now(UTC) + timedelta(hours=6), usegmt=True)}"

    def handle(request: Request, connection: socket.socket) -> None:
        if request.path.startswith("/api/"):
            connection.sendall(answer(status=401, headers=(date,)))
        elif not silent:
            connection.sendall(answer())

    with raw_server(handle) as server, open_archive(server.url, stall_timeout_s=0.3) as archive:
        assert abs(archive.measure_clock() - timedelta(hours=6)) < timedelta(seconds=5)

    assert not any(request.parameters for request in server.requests), "the token is nobody's business here"
