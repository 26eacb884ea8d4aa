"""A TCP server that answers HTTP requests with exactly the bytes, silences and resets a test writes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        path: Without the query.
        parameters: Of the query.
        headers: Names in lower case.
        connection: Number of the connection it came on, from 0.
    """

    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    connection: int


@dataclass
class RawServer:
    """A running server.

    Attributes:
        url: Its base URL.
        requests: What was asked so far.
        over: Set when the test is over; wait on it to be silent.
    """

    url: str
    requests: list[Request] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


if TYPE_CHECKING:
    Handler = Callable[[Request, socket.socket], None]


@contextlib.contextmanager
def raw_server(handle: Handler) -> Iterator[RawServer]:
    """Serve with `handle`, which writes to the socket it is given; a socket it closes ends that connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        server = RawServer(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        threads: list[threading.Thread] = []
        acceptor = threading.Thread(target=_accept, args=(listener, server, handle, threads))
        acceptor.start()
        try:
            yield server
        finally:
            server.over.set()
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for thread in threads:
                thread.join()


def answer(body: bytes = b"", *, status: int = 200, headers: tuple[str, ...] = (), length: int | None = -1) -> bytes:
    """Spell an answer. `length` overrides Content-Length; None leaves it out."""
    lines = [f"HTTP/1.1 {status} Whatever", *headers]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length == -1 else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def reset(connection: socket.socket) -> None:
    """Break the connection as a crashed peer does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def unused_url() -> str:
    """Return a URL on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def _accept(listener: socket.socket, server: RawServer, handle: Handler, threads: list[threading.Thread]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        thread = threading.Thread(target=_converse, args=(connection, server, handle, len(threads)))
        threads.append(thread)
        thread.start()


def _converse(connection: socket.socket, server: RawServer, handle: Handler, number: int) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(0.05)
        pending = b""
        while not server.over.is_set():
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                continue
            if not piece:
                return
            pending += piece
            while b"\r\n\r\n" in pending:
                head, _, pending = pending.partition(b"\r\n\r\n")
                request = _parse(head.decode(), number)
                server.requests.append(request)
                connection.settimeout(10)
                handle(request, connection)
                if connection.fileno() == -1:
                    return
                connection.settimeout(0.05)


def _parse(head: str, number: int) -> Request:
    start, *lines = head.split("\r\n")
    target = urlsplit(start.split(" ")[1])
    headers = dict(line.split(": ", 1) for line in lines)
    return Request(
        target.path,
        dict(parse_qsl(target.query)),
        {name.lower(): value for name, value in headers.items()},
        number,
    )
