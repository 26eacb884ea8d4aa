"""What can go wrong, as values, and the book of what is to go wrong now.

A fault matches requests by endpoint, device code and file name. It strikes `count` times and is gone then, or every
time while it is in the book.
"""

from __future__ import annotations

import enum
import itertools
import threading
from collections.abc import Callable, Mapping  # noqa: TC003  pydantic reads the annotations
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from datetime import datetime

Endpoint = Literal["device", "location", "download", "deployments", "devices", "dataProducts", "dataAvailability"]


class Kind(enum.StrEnum):
    """The troubles. The comment says what the fields of `Fault` mean for it."""

    # any endpoint
    CONNECT_TIMEOUT = "connect-timeout"  # drops this connection; new ones time out for `seconds` (5)
    STALL = "stall"  # sends `after_bytes` of the body (half), then nothing
    RESET = "reset"  # RST after `after_bytes` (half)
    CUT = "cut"  # FIN after `after_bytes` (half), before the announced Content-Length
    NO_CONTENT_LENGTH = "no-content-length"  # chunked, whole
    CHUNKED_CUT = "chunked-cut"  # chunked, closed after `after_bytes` (half)
    TOO_MANY_REQUESTS = "too-many-requests"  # 429, Retry-After: `seconds` (1)
    SERVER_ERROR = "server-error"  # 500
    UNAVAILABLE = "unavailable"  # 503, with Retry-After when `seconds` is given
    STATUS = "status"  # `status` with an empty HTML page
    HTML = "html"  # 200, an HTML page
    JSON = "json"  # 200, a JSON error body
    SLOW = "slow"  # `bytes_per_second` (100000) on this response
    LATENCY = "latency"  # `seconds` (0.5) before the answer
    TOKEN_REVOKED = "token-revoked"  # noqa: S105  401/127 for every call while it is in the book
    # downloads: damage to the true bytes
    SHORT = "short"  # only `after_bytes` (half), with a Content-Length that says so
    GZIP = "gzip"  # gzip of the bytes under the bare name
    BIT_FLIP = "bit-flip"  # one bit at `offset` (inside compressed data)
    ZERO_TAIL = "zero-tail"  # the last `length` bytes (a quarter) are zero
    INJECTED_TEXT = "injected-text"  # `length` (500) bytes of text in the middle; `keep_size` cuts the end
    ZERO_LENGTH = "zero-length"  # empty body
    STILL_OPEN_SWMR = "still-open-swmr"  # HDF5 as a crashed SWMR writer leaves it
    STILL_OPEN_WRITE = "still-open-write"  # HDF5 as a crashed plain writer leaves it
    # downloads and listings of a file
    NOT_READY = "not-ready"  # listed, but 400/96
    RE_ARCHIVED = "re-archived"  # from `at` on: new bytes, times and (unless `keep_size`) size under the same name
    VANISHED = "vanished"  # from `at` on (now): not listed, 400/96
    GONE_BETWEEN = "gone-between"  # listed until a download is tried: 400/96, and not listed any more
    # listings
    DUPLICATE_ROWS = "duplicate-rows"  # matching rows appear twice
    CHANGED_ROWS = "changed-rows"  # matching rows have `changes` and lack the keys `without`
    EXTRA_ROWS = "extra-rows"  # `rows` (a hostile set) are added to the first page
    PAGE_LOOP = "page-loop"  # `next` points to the same page again
    LOST_ROWS = "lost-rows"  # `length` (1) rows are lost at the begin of each page but the first
    EMPTY_LISTING = "empty-listing"  # no rows, with a message
    GARBLED_JSON = "garbled-json"  # the JSON ends in the middle


SENDING: Final = frozenset({Kind.STALL, Kind.RESET, Kind.CUT, Kind.NO_CONTENT_LENGTH, Kind.CHUNKED_CUT, Kind.SLOW})
ANSWERING: Final = frozenset(
    {Kind.TOO_MANY_REQUESTS, Kind.SERVER_ERROR, Kind.UNAVAILABLE, Kind.STATUS, Kind.HTML, Kind.JSON}
)
DAMAGING: Final = frozenset(
    {Kind.SHORT, Kind.GZIP, Kind.BIT_FLIP, Kind.ZERO_TAIL, Kind.INJECTED_TEXT, Kind.ZERO_LENGTH,
     Kind.STILL_OPEN_SWMR, Kind.STILL_OPEN_WRITE}
)  # fmt: skip
LISTING: Final = frozenset(
    {Kind.EXTRA_ROWS, Kind.PAGE_LOOP, Kind.LOST_ROWS, Kind.EMPTY_LISTING, Kind.GARBLED_JSON,
     Kind.DUPLICATE_ROWS, Kind.CHANGED_ROWS}
)  # fmt: skip
_LISTS: Final = frozenset({"device", "location"})


class Fault(BaseModel):
    """One trouble, for the requests it matches.

    Attributes:
        kind: What happens.
        filename: Exact name or glob; None matches any, also requests without a file.
        device: Device code; None matches any.
        endpoint: Last word of the path; None matches every endpoint at which the kind makes sense.
        count: How many requests it strikes; None for always. Faults that change or hide files cannot be counted.
        after_bytes: See `Kind`.
        seconds: See `Kind`.
        bytes_per_second: See `Kind`.
        status: See `Kind`.
        offset: See `Kind`.
        length: See `Kind`.
        keep_size: See `Kind`.
        at: Moment on the stand-in's clock; None for always.
        changes: See `Kind`.
        without: See `Kind`.
        rows: See `Kind`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    filename: str | None = None
    device: str | None = None
    endpoint: Endpoint | None = None
    count: int | None = Field(default=None, ge=1)
    after_bytes: int | None = Field(default=None, ge=0)
    seconds: float | None = Field(default=None, ge=0)
    bytes_per_second: int = Field(default=100_000, ge=1)
    status: int = Field(default=502, ge=200, le=599)
    offset: int | None = None
    length: int | None = Field(default=None, ge=0)
    keep_size: bool = False
    at: AwareDatetime | None = None
    changes: Mapping[str, Any] = Field(default_factory=dict)
    without: tuple[str, ...] = ()
    rows: tuple[Mapping[str, Any], ...] | None = None

    def matches(self, endpoint: str, device: str | None, filename: str | None) -> bool:
        """Whether it applies to such a request, or to such a row of a listing."""
        if self.endpoint not in {None, endpoint} or self.device not in {None, device}:
            return False
        if self.filename is None:
            return True
        return filename is not None and (self.filename == filename or fnmatchcase(filename, self.filename))

    @property
    def names_one_file(self) -> bool:
        """Whether the file name is no glob."""
        return self.filename is not None and not set(self.filename) & set("*?[")


class FaultBook:
    """The faults that are to happen. Thread-safe."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._faults: dict[int, tuple[Fault, int | None]] = {}
        self._numbers = itertools.count(1)

    def add(self, fault: Fault) -> int:
        """Put a fault into the book; the number that comes back takes it out again. `at` is now by default."""
        if fault.at is None and fault.kind in {Kind.RE_ARCHIVED, Kind.VANISHED}:
            fault = fault.model_copy(update={"at": self._now()})
        with self._lock:
            number = next(self._numbers)
            self._faults[number] = (fault, fault.count)
            return number

    def remove(self, number: int) -> bool:
        """Take a fault out; whether it was still there."""
        with self._lock:
            return self._faults.pop(number, None) is not None

    def clear(self) -> None:
        """Take all faults out."""
        with self._lock:
            self._faults.clear()

    def all(self) -> dict[int, Fault]:
        """What is in the book, by number."""
        with self._lock:
            return {number: fault for number, (fault, _) in self._faults.items()}

    def of_kind(self, *kinds: Kind) -> list[Fault]:
        """The faults of these kinds in the order they were added. Counts none of them down."""
        with self._lock:
            return [fault for fault, _ in self._faults.values() if fault.kind in kinds]

    def strike(self, kinds: frozenset[Kind], endpoint: str, device: str | None, filename: str | None) -> list[Fault]:
        """The faults of these kinds that hit this request, each counted down."""
        hits: list[Fault] = []
        with self._lock:
            for number, (fault, left) in list(self._faults.items()):
                if fault.kind not in kinds or not self._aims(fault, endpoint, device, filename):
                    continue
                hits.append(fault)
                if left == 1:
                    del self._faults[number]
                elif left is not None:
                    self._faults[number] = (fault, left - 1)
        return hits

    @staticmethod
    def _aims(fault: Fault, endpoint: str, device: str | None, filename: str | None) -> bool:
        if fault.kind in LISTING and endpoint in _LISTS:
            # The name, where one is given, chooses among the rows later.
            return fault.endpoint in {None, endpoint} and fault.device in {None, device}
        return fault.matches(endpoint, device, filename)
