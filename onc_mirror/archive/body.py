"""The body of an answer, and what can break while one is waited for, as types.

Guarantee: no error of urllib3 passes, not as cause or context either: their texts hold the URL, and with it the
token. So errors are built from clean words, and raised outside the `except` block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from urllib3.exceptions import (
    ConnectTimeoutError as UrllibConnectTimeoutError,
)
from urllib3.exceptions import (
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from onc_mirror.archive.answers import one_line
from onc_mirror.archive.unzipping import EncodingError, Unzipper
from onc_mirror.archive.wire import FloodError, TooSlowError
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
    WrongBodyError,
)

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse


_PLAIN = frozenset({"", "identity"})
_GZIP = frozenset({"gzip", "x-gzip"})


class Body:
    """The body of an answer, read piece by piece; gzip is undone.

    A page of some proxy that repeats what it was asked repeats the token: `keep_out` keeps it from being kept.

    Attributes:
        announced_bytes: The length that the answer's header gives; None when it gives none, or when it is that
            of an encoded body.
        marks_its_end: Whether a body that was cut short can be told from a whole one.
    """

    def __init__(self, response: BaseHTTPResponse, subject: str | None) -> None:
        """Take over the body of `response`.

        Raises:
            GarbledAnswerError: It is encoded in a way that was not asked for.
        """
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in _PLAIN | _GZIP:
            raise _badly_encoded(subject)
        self._response = response
        self._subject = subject
        self._unzipper = Unzipper() if encoding in _GZIP else None
        self._whole_length: int | None = response.length_remaining
        self._secret = self._tail = b""
        self.marks_its_end = self._whole_length is not None or bool(getattr(response, "chunked", False))
        self.announced_bytes = None if self._unzipper else self._whole_length

    def keep_out(self, secret: bytes) -> None:
        """Give out no piece from now on in which `secret` ends; an empty one is none."""
        self._secret = secret

    def read(self, amount: int) -> bytes:
        """Return `amount` bytes, fewer only at the end, none after it.

        Raises:
            StalledError: No byte came for the stall timeout, or all of them come too slowly to wait for.
            TruncatedBodyError: The connection ended before the announced length.
            ConnectionLostError: The connection broke in a body of unannounced length.
            GarbledAnswerError: The body is not encoded as its header says, or hardly anything is in it.
            WrongBodyError: What must be kept out is in it.
        """
        if self._repeats_secret(read := self._gather(amount)):
            del read  # no frame of ours may hold it when a traceback is printed with its variables
            raise WrongBodyError(
                "The token came back in its place, as in a page of a proxy that repeats what it was asked. Nothing of"
                " it is kept. Try again; if it goes on, look at what stands between here and the archive.",
                subject=self._subject,
            )
        return read

    def _gather(self, amount: int) -> bytes:
        pieces = []
        missing = amount
        while missing > 0 and (piece := self._piece(missing)):
            missing -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def _repeats_secret(self, read: bytes) -> bool:
        if not self._secret:
            return False
        reach = len(self._secret) - 1
        seam = self._tail + read[:reach]
        self._tail = (self._tail + read[-reach:])[-reach:]
        return self._secret in read or self._secret in seam

    def _piece(self, amount: int) -> bytes:
        if self._unzipper is None:
            return self._look(amount)
        try:
            while not (piece := self._unzipper.take(amount)):
                if not (encoded := self._look(amount)):
                    self._unzipper.finish()
                    return b""
                self._unzipper.feed(encoded)
        except EncodingError:
            raise _badly_encoded(self._subject) from None
        return piece

    def _look(self, amount: int) -> bytes:
        """Return what one look at the connection brings, none at the end."""
        try:
            return self._response.read1(amount, decode_content=False)
        except HTTPError as error:
            failure = self._failure(error)
        raise failure

    def _failure(self, error: HTTPError) -> MirrorError:
        broken = isinstance(error, ProtocolError) and not isinstance(_cause(error), FloodError)
        if broken and self._whole_length is not None:
            return TruncatedBodyError(
                f"The connection ended before all of the announced {self._whole_length} bytes came. Try again.",
                subject=self._subject,
            )
        return failure_of(error, self._subject)


def failure_of(error: HTTPError, subject: str | None) -> MirrorError:
    """Name a failure of urllib3 with clean words; its own text would hold the token."""
    cause = _cause(error)
    if isinstance(cause, TooSlowError):
        return StalledError(
            f"The archive sent {cause.received_bytes} bytes in {cause.waited_s:.0f} s, too slowly to wait for the"
            " rest. Try again later; if it goes on, lower ONC_MIRROR_CONCURRENCY or look after the network.",
            subject=subject,
        )
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
    if isinstance(cause, FloodError):
        return GarbledAnswerError(
            "The archive's answer goes on without an end and without a content. Try again later.", subject=subject
        )
    return ConnectionLostError("The connection to the archive broke. Try again.", subject=subject)


def _cause(error: HTTPError) -> BaseException | None:
    """Return what urllib3 wrapped: with `from` while it reads a body, without while it waits for a head."""
    return error.__cause__ or error.__context__


def _badly_encoded(subject: str | None) -> GarbledAnswerError:
    return GarbledAnswerError("The archive's answer is not encoded as it says. Try again.", subject=subject)


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
