"""The bytes of a connection as they come in: how long one waits for them, and how many one look may bring.

A socket's own timeout is one for each receipt, so that a peer that sends a byte now and then holds its reader for
as long as it likes: in the head of an answer, in its body, in the framing between and behind the chunks. Guarantees
for every answer:

* Its head is there within the stall timeout, with all interim answers (100, 102, 103) before it, and is not large.
* Its body costs no more waiting than twice the stall timeout, and a second for each `SLOWEST_BYTES_PER_S` bytes.
* What is asked for brings little more than itself: chunk sizes and trailers that go on for ever do not.

Remedy of the caller: `TooSlowError` and `FloodError` arrive as the cause of urllib3's own exceptions.
"""

from __future__ import annotations

import io
import time
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, parse_headers
from typing import TYPE_CHECKING

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer

# The slowest pace that brings a day's files in a day.
SLOWEST_BYTES_PER_S = 10_000
# Of a head, and beyond what one look asks for: a full line of framing, and what is read ahead.
MOST_FRAMING_BYTES = 2**18
# A server sends one or two; http.client skips those with 100 by itself.
MOST_INTERIM_ANSWERS = 10


class TooSlowError(TimeoutError):
    """Bytes come, but too slowly to wait for the rest.

    Attributes:
        received_bytes: How many came, of head or body.
        waited_s: How long they were waited for.
    """

    def __init__(self, received_bytes: int, waited_s: float) -> None:
        super().__init__(received_bytes, waited_s)
        self.received_bytes = received_bytes
        self.waited_s = waited_s


class FloodError(HTTPException):
    """A head without end, interim answers only, or framing without end where a piece of the body was asked for."""


class Wire(io.RawIOBase):
    """What comes in on a connection for one answer, counted and timed; the stall timeout is the socket's."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._socket = connection
        self._raw = connection.makefile("rb", buffering=0)
        self._stall_timeout_s = connection.gettimeout() or 0.0
        self._patience_s = self._stall_timeout_s
        self._pace = float("inf")
        self._waited_s = 0.0
        self._received = 0
        self._allowed = MOST_FRAMING_BYTES

    def begin_body(self) -> None:
        """Count and time anew: the head is over."""
        self._patience_s = 2 * self._stall_timeout_s
        self._pace = SLOWEST_BYTES_PER_S
        self._waited_s = 0.0
        self._received = 0

    def allow(self, amount: int) -> None:
        """Let no more than about `amount` bytes come before the next call."""
        self._allowed = amount + MOST_FRAMING_BYTES

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Receive what is there, or wait for it.

        Raises:
            TimeoutError: Nothing came for the stall timeout.
            TooSlowError: Bytes come too slowly.
            FloodError: More came than belongs to a head, or than `allow` allows.
        """
        left_s = self._patience_s + self._received / self._pace - self._waited_s
        if left_s <= 0:
            raise TooSlowError(self._received, self._waited_s)
        if self._allowed <= 0:
            raise FloodError
        begun = time.monotonic()
        self._socket.settimeout(min(self._stall_timeout_s, left_s))
        try:
            # None is what a socket without a timeout says; this one has one.
            size = self._raw.readinto(buffer) or 0
        except TimeoutError:
            if left_s < self._stall_timeout_s:
                raise TooSlowError(self._received, self._waited_s + left_s) from None
            raise
        finally:
            self._waited_s += time.monotonic() - begun
        self._received += size
        self._allowed -= size
        return size

    def close(self) -> None:
        """Let the connection go; whoever owns it closes it."""
        super().close()
        self._raw.close()


class Answer(HTTPResponse):
    """An answer that is read from a `Wire`."""

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None) -> None:
        super().__init__(sock, debuglevel, method)
        self.fp.close()
        self._wire = Wire(sock)
        self.fp = io.BufferedReader(self._wire)

    def _read_status(self) -> tuple[str, int, str]:
        """Read the status line; of an interim answer (RFC 9110, 15.2) that http.client takes for the last one, on.

        Raises:
            FloodError: Nothing but interim answers comes.
        """
        for _ in range(MOST_INTERIM_ANSWERS + 1):
            line: tuple[str, int, str] = super()._read_status()  # type: ignore[misc] # the one place to step in
            if not HTTPStatus.PROCESSING <= line[1] < HTTPStatus.OK:
                return line
            parse_headers(self.fp)
        raise FloodError

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        self._wire.begin_body()

    def read1(self, n: int = -1) -> bytes:
        """Read what is there of the body, at most `n` bytes."""
        self._wire.allow(n)
        return super().read1(n)


class _Connection(HTTPConnection):
    response_class = Answer


class _SecureConnection(HTTPSConnection):
    response_class = Answer


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": _Pool, "https": _SecurePool}
