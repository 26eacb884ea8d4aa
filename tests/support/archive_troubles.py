"""Which error each fault of the archive's stand-in is to a caller of `Archive`."""

from __future__ import annotations

from infra.sandbox.archive.faults import Kind
from onc_mirror.errors import (
    ArchiveBusyError,
    ConnectionLostError,
    GarbledAnswerError,
    MirrorError,
    StalledError,
    TokenRejectedError,
    TruncatedBodyError,
    WrongBodyError,
    WrongSizeError,
)

OF_LISTINGS: tuple[tuple[Kind, type[MirrorError] | tuple[type[MirrorError], ...]], ...] = (
    (Kind.STALL, StalledError),
    (Kind.RESET, (TruncatedBodyError, ConnectionLostError)),
    (Kind.CUT, TruncatedBodyError),
    (Kind.CHUNKED_CUT, ConnectionLostError),
    (Kind.TOO_MANY_REQUESTS, ArchiveBusyError),
    (Kind.SERVER_ERROR, ArchiveBusyError),
    (Kind.UNAVAILABLE, ArchiveBusyError),
    (Kind.STATUS, ArchiveBusyError),
    (Kind.HTML, GarbledAnswerError),
    (Kind.JSON, GarbledAnswerError),
    (Kind.GARBLED_JSON, GarbledAnswerError),
    (Kind.TOKEN_REVOKED, TokenRejectedError),
)

OF_DOWNLOADS: tuple[tuple[Kind, type[MirrorError]], ...] = (
    (Kind.STALL, StalledError),
    (Kind.RESET, TruncatedBodyError),
    (Kind.CUT, TruncatedBodyError),
    (Kind.CHUNKED_CUT, ConnectionLostError),
    (Kind.TOO_MANY_REQUESTS, ArchiveBusyError),
    (Kind.SERVER_ERROR, ArchiveBusyError),
    (Kind.UNAVAILABLE, ArchiveBusyError),
    (Kind.HTML, WrongBodyError),
    (Kind.JSON, WrongBodyError),
    (Kind.GZIP, WrongBodyError),
    (Kind.SHORT, WrongSizeError),
    (Kind.ZERO_LENGTH, WrongSizeError),
    (Kind.INJECTED_TEXT, WrongSizeError),
)
"""Those of a single file."""
