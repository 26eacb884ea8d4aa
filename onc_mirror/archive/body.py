"""The body of an answer, and what can break while one is waited for, as types.

Guarantee: no error of urllib3 passes, not as cause or context either: their texts hold the URL, and with it the
token. So errors are built from clean words, and raised outside the `except` block.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from urllib3.exceptions import (
    ConnectTimeoutError as UrllibConnectTimeoutError,
)
from urllib3.exceptions import (
    DecodeError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from onc_mirror.archive.answers import one_line
from onc_mirror.errors import (
    ConnectionLostError,
    ConnectTimeoutError,
    GarbledAnswerError,
    MirrorError,
    RefusedError,
    StalledError,
    TruncatedBodyError,
    UnknownHostError,
    UnreachableError,
    UntrustedError,
)

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse


# Seconds beyond the stall timeout before the pace counts, and the slowest pace that brings a day's files in a day.
GRACE_S = 60.0
SLOWEST_BYTES_PER_S = 10_000


class Body:
    """The body of an answer, read piece by piece; content encodings are undone.

    Attributes:
        announced_bytes: The length that the answer's header gives; None when it gives none, or when it is that
            of an encoded body.
        marks_its_end: Whether a body that was cut short can be told from a whole one.
    """

    def __init__(self, response: BaseHTTPResponse, subject: str | None, stall_timeout_s: float) -> None:
        self._response = response
        self._subject = subject
        self._encoded = response.headers.get("Content-Encoding", "identity").lower() != "identity"
        self._patience_s = stall_timeout_s + GRACE_S
        self._waited_s = 0.0
        self._received = 0
        self._whole_length: int | None = response.length_remaining
        self.marks_its_end = self._whole_length is not None or bool(getattr(response, "chunked", False))
        self.announced_bytes = None if self._encoded else self._whole_length

    def read(self, amount: int) -> bytes:
        """Return `amount` bytes, fewer only at the end, none after it.

        Raises:
            StalledError: No byte came for the stall timeout, or all of them come too slowly to wait for.
            TruncatedBodyError: The connection ended before the announced length.
            ConnectionLostError: The connection broke in a body of unannounced length.
            GarbledAnswerError: The body is not encoded as its header says.
        """
        pieces = []
        missing = amount
        while missing > 0 and (piece := self._piece(missing)):
            missing -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _piece(self, amount: int) -> bytes:
        """Return what one look at the connection brings, so that a drip is noticed between its drops."""
        begun = time.monotonic()
        try:
            # Without decoding, urllib3 hands the bytes through instead of copying them twice.
            piece = self._response.read1(amount, decode_content=self._encoded)
        except HTTPError as error:
            failure = self._failure(error)
        else:
            self._waited_s += time.monotonic() - begun
            self._received += len(piece)
            if not piece or self._waited_s <= self._patience_s + self._received / SLOWEST_BYTES_PER_S:
                return piece
            failure = StalledError(
                f"The archive sent {self._received} bytes in {self._waited_s:.0f} s, too slowly to wait for the rest."
                " Try again later; if it goes on, lower ONC_MIRROR_CONCURRENCY or look after the network.",
                subject=self._subject,
            )
        raise failure

    def _failure(self, error: HTTPError) -> MirrorError:
        if isinstance(error, ProtocolError) and self._whole_length is not None:
            return TruncatedBodyError(
                f"The connection ended before all of the announced {self._whole_length} bytes came. Try again.",
                subject=self._subject,
            )
        return failure_of(error, self._subject)


def failure_of(error: HTTPError, subject: str | None) -> MirrorError:
    """Name a failure of urllib3 with clean words; its own text would hold the token."""
    if isinstance(error, ReadTimeoutError):
        return StalledError(
            "The archive sent nothing for the stall timeout."
            " Try again; if it goes on, raise ONC_MIRROR_STALL_TIMEOUT_S.",
            subject=subject,
        )
    if isinstance(error, SSLError):
        reason = one_line(str(getattr(error.args[0], "reason", "") if error.args else ""))
        return UntrustedError(
            f"No trusted connection to the archive: {reason or 'TLS failed'}."
            " Set SSL_CERT_FILE when your network has a certificate authority of its own.",
            subject=subject,
        )
    if isinstance(error, UrllibConnectTimeoutError):
        return _unreachable(error, subject)
    if isinstance(error, DecodeError):
        return GarbledAnswerError("The archive's answer is not encoded as it says. Try again.", subject=subject)
    return ConnectionLostError("The connection to the archive broke. Try again.", subject=subject)


def _unreachable(error: UrllibConnectTimeoutError, subject: str | None) -> UnreachableError:
    kind: type[UnreachableError]
    remedy = "If it goes on, check the network and ONC_MIRROR_ARCHIVE_URL."
    # Its subclasses say that a connection failed at once; urllib3 keeps the system's word for why as the cause.
    cause = error.__cause__
    if isinstance(error, NameResolutionError):
        kind, what = UnknownHostError, f"the name {error.conn.host} does not resolve"
    elif not isinstance(error, NewConnectionError):
        kind, what = ConnectTimeoutError, "no answer within the connect timeout"
    elif isinstance(cause, ConnectionRefusedError):
        kind, what = RefusedError, f"{error.conn.host} refuses it at port {error.conn.port}"
    else:
        kind, what = UnreachableError, (cause.strerror if isinstance(cause, OSError) else None) or "it cannot be made"
    return kind(f"No connection to the archive: {what}. {remedy}", subject=subject)
