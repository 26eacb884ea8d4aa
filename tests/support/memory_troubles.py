"""What goes wrong with an archive in memory: the stand-in's faults as a caller of `OncArchive` meets them."""

from __future__ import annotations

import gzip
import io
import json
from typing import TYPE_CHECKING

from infra.sandbox.archive.faults import DAMAGING, Fault, Kind
from onc_mirror.archive.answers import INVALID_VALUE, NO_SUCH_FILE, error_from
from onc_mirror.errors import (
    ConnectionLostError,
    ConnectTimeoutError,
    GarbledAnswerError,
    MirrorError,
    StalledError,
    TruncatedBodyError,
)
from onc_mirror.model import HDF5_SIGNATURE
from tests.support.marked_files import STILL_OPEN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REFUSING = frozenset(
    {Kind.CONNECT_TIMEOUT, Kind.STATUS, Kind.TOO_MANY_REQUESTS, Kind.SERVER_ERROR, Kind.UNAVAILABLE}
    | {Kind.TOKEN_REVOKED}
)
"""Instead of any answer."""

BREAKING = frozenset({Kind.RESET, Kind.CUT, Kind.CHUNKED_CUT, Kind.STALL})
"""In the middle of a body."""

WITHOUT_CONTENT = frozenset({Kind.HTML, Kind.JSON})
"""In place of a body."""

MISLISTING = frozenset({Kind.DUPLICATE_ROWS, Kind.EMPTY_LISTING, Kind.GARBLED_JSON})
"""In listings."""

KNOWN = REFUSING | BREAKING | WITHOUT_CONTENT | MISLISTING | DAMAGING | {Kind.NOT_READY, Kind.GONE_BETWEEN}

_STATUS = {
    Kind.TOO_MANY_REQUESTS: 429,
    Kind.SERVER_ERROR: 500,
    Kind.UNAVAILABLE: 503,
}
_CUT = (TruncatedBodyError, "The connection ended before all bytes came.")
_GARBLED = (GarbledAnswerError, "The archive's answer is not a listing.")
_ERRORS: Mapping[Kind, tuple[type[MirrorError], str]] = {
    Kind.CONNECT_TIMEOUT: (ConnectTimeoutError, "No connection to the archive."),
    Kind.STALL: (StalledError, "The archive sent nothing."),
    Kind.CHUNKED_CUT: (ConnectionLostError, "The connection to the archive broke."),
    Kind.RESET: _CUT,
    Kind.CUT: _CUT,
    Kind.HTML: _GARBLED,
    Kind.JSON: _GARBLED,
    Kind.GARBLED_JSON: _GARBLED,
}
_SPOT = len(HDF5_SIGNATURE)
_DAMAGES: Mapping[Kind, Callable[[bytes], bytes]] = {
    Kind.SHORT: lambda body: body[: len(body) // 2],
    Kind.ZERO_LENGTH: lambda _: b"",
    Kind.GZIP: gzip.compress,
    Kind.HTML: lambda _: b"<!DOCTYPE html><html><body>Maintenance</body></html>",
    Kind.JSON: lambda _: b'{"errors": []}',
    Kind.STILL_OPEN_SWMR: lambda body: STILL_OPEN + body[len(STILL_OPEN) :],
    Kind.STILL_OPEN_WRITE: lambda body: STILL_OPEN + body[len(STILL_OPEN) :],
    Kind.ZERO_TAIL: lambda body: body[:_SPOT].ljust(len(body), b"\0"),
    Kind.INJECTED_TEXT: lambda body: body[:_SPOT] + b"<p>" + body[_SPOT:],
    Kind.BIT_FLIP: lambda body: body[:_SPOT] + bytes([body[_SPOT] ^ 1]) + body[_SPOT + 1 :],
}


class MemoryBody:
    """A body that comes at once, or breaks off."""

    def __init__(self, body: bytes, breaks_at: int | None = None, failure: MirrorError | None = None) -> None:
        self.announced_bytes: int | None = len(body)
        self.marks_its_end = True
        self._left = io.BytesIO(body[:breaks_at])
        self._failure = failure

    def read(self, amount: int) -> bytes:
        piece = self._left.read(amount)
        if len(piece) < amount and self._failure is not None:
            raise self._failure
        return piece


def damaged(body: bytes, kind: Kind) -> bytes:
    """The bytes that come instead of `body`."""
    return _DAMAGES[kind](body)


def failure(fault: Fault, subject: str | None) -> MirrorError:
    """What a request ends in that gets no whole body."""
    if fault.kind in _ERRORS:
        kind, said = _ERRORS[fault.kind]
        return kind(said, subject=subject)
    if fault.kind is Kind.TOKEN_REVOKED:
        return refused(401, INVALID_VALUE, "token", subject)
    return refused(_STATUS.get(fault.kind, fault.status), None, "", subject)


def not_handed_out(filename: str) -> MirrorError:
    """What asking for a file ends in that is not there, or not yet."""
    return refused(400, NO_SUCH_FILE, "filename", filename)


def unknown_device(device_code: str) -> MirrorError:
    """What listing a device ends in that the archive does not know."""
    return refused(400, INVALID_VALUE, "deviceCode", device_code)


def refused(status: int, code: int | None, parameter: str, subject: str | None) -> MirrorError:
    """What an answer with this status and error code means."""
    entry = {"errorCode": code, "errorMessage": "", "parameter": parameter}
    body = json.dumps({"errors": [entry]}).encode() if code is not None else b""
    return error_from(status, {}, body, subject)
