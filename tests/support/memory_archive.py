"""An archive in memory: `Archive` for tests that make thousands of runs. The contract suite holds it to `OncArchive`.

It has the files that a test puts in, whatever their rows say, and the troubles of the stand-in's fault book that a
caller of `OncArchive` can tell apart. It never waits, and its clock is the test's.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from infra.sandbox.archive.faults import DAMAGING, Fault, FaultBook, Kind
from onc_mirror.archive import Counted, Deployment
from onc_mirror.archive.rows import format_time, just_after, parse_file, parse_time
from onc_mirror.archive.whereabouts import windows_with
from onc_mirror.errors import MirrorError, NotReadyError, TransientError
from onc_mirror.model import Listing, TimeWindow
from tests.support.memory_troubles import (
    BREAKING,
    KNOWN,
    MISLISTING,
    REFUSING,
    WITHOUT_CONTENT,
    MemoryBody,
    damaged,
    failure,
    not_handed_out,
    unknown_device,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from onc_mirror.archive import KnownDevice, Product
    from onc_mirror.archive.port import ReadableBody
    from onc_mirror.model import ArchiveFile

T = TypeVar("T")
Row = dict[str, Any]

COUNTS = "dataAvailability"
"""The endpoint of the archive's counts."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """A file of the archive.

    Attributes:
        row: As a listing gives it.
        body: What a download gives.
        device_code: The device under which it is listed, whatever the row says.
        listed_from: When it is listed and handed out, on the archive's clock.
    """

    row: Row
    body: bytes
    device_code: str
    listed_from: datetime

    @property
    def file(self) -> ArchiveFile:
        return parse_file(self.row, self.device_code)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, oldest first in `MemoryArchive.requests`.

    Attributes:
        endpoint: As the stand-in calls it: `device`, `download`, `dataAvailability`.
        subject: Device code or filename.
        archived: The window of archive time of a listing.
        data: Its window of data time.
        listing: What was answered; None when nothing was.
        hidden: Files that it left out without a word.
        counted: How many files were told; None when nothing was.
        caller: Who asked, as `MemoryArchive.caller` said then.
    """

    endpoint: str
    subject: str
    archived: TimeWindow | None = None
    data: TimeWindow | None = None
    listing: Listing | None = None
    hidden: tuple[ArchiveFile, ...] = ()
    counted: tuple[Counted, ...] | None = None
    caller: int = 0


class MemoryArchive:
    """`Archive` in memory.

    Args:
        device_codes: The devices that it knows; all are deployed.
        clock: Its time, UTC.
        quick_retries: As of `OncArchive`.
        hook: Hears of every request before it is answered.

    Attributes:
        faults: What goes wrong now.
        shortened: Rows that a listing of a device keeps, the first ones; nothing says that there are more.
        requests: What was asked.
        caller: Who is asking, for a test that wants to know.
    """

    def __init__(
        self,
        device_codes: Iterable[str],
        *,
        clock: Callable[[], datetime],
        quick_retries: int = 0,
        hook: Callable[[], None] = lambda: None,
    ) -> None:
        self.device_codes = frozenset(device_codes)
        self.faults = FaultBook(clock)
        self.shortened: dict[str, int] = {}
        self.requests: list[Asked] = []
        self.caller = 0
        self._hook = hook
        self._clock = clock
        self._quick_retries = quick_retries
        self._lock = threading.RLock()
        self._shelf: list[Shelved] = []

    # What a test does to it

    def take_in(
        self, row: Row, body: bytes, *, device_code: str | None = None, listed_from: datetime | None = None
    ) -> Shelved:
        """Add a file; of several with one name all are listed, and the latest is handed out."""
        code = device_code or row.get("deviceCode") or ""
        shelved = Shelved(row, body, code, listed_from or datetime.min.replace(tzinfo=UTC))
        with self._lock:
            self._shelf.append(shelved)
        return shelved

    def replace(self, filename: str, body: bytes, **changes: Any) -> Shelved:
        """Give a file other bytes and other fields of its row, from now on."""
        with self._lock:
            old = self.shelved(filename)
            self.vanish(filename)
            new = replace(old, row=old.row | changes, body=body)
            self._shelf.append(new)
        return new

    def vanish(self, filename: str) -> None:
        """Neither list nor hand out a file any more."""
        with self._lock:
            self._shelf = [shelved for shelved in self._shelf if shelved.row.get("filename") != filename]

    def fault(self, kind: Kind, **fields: Any) -> int:
        """Add a fault, as `RunningArchive.fault`; only of the kinds that are played here."""
        if kind not in KNOWN:
            raise ValueError(f"The archive in memory does not play {kind}.")
        return self.faults.add(Fault(kind=kind, **fields))

    def shelved(self, filename: str) -> Shelved:
        """The file of this name, as it would be handed out."""
        with self._lock:
            found = [shelved for shelved in self._shelf if shelved.row.get("filename") == filename]
        if not found:
            raise LookupError(filename)
        return max(found, key=lambda shelved: str(shelved.row.get("archivedDate")))

    def everything(self) -> tuple[Shelved, ...]:
        """All files that are listed at this moment."""
        now = self._clock()
        with self._lock:
            return tuple(shelved for shelved in self._shelf if shelved.listed_from <= now)

    def requests_for(self, endpoint: str) -> list[Asked]:
        return [asked for asked in self.requests if asked.endpoint == endpoint]

    # What the mirror asks it

    def list_files(
        self,
        device_code: str,
        *,
        archived: TimeWindow | None = None,
        data: TimeWindow | None = None,
        extension: str | None = None,
    ) -> Listing:
        now = self._clock()
        if any(window is not None and window.since > now for window in (archived, data)):
            return Listing(device_code, archived, ())
        self._hook()
        rows, kept_back = self.repeat_quickly(lambda: self._rows(device_code, archived, data, extension))
        distinct = [row for index, row in enumerate(rows) if row not in rows[:index]]
        files = tuple(parse_file(row, device_code) for row in distinct)
        listing = Listing(device_code, archived, files, duplicates=len(rows) - len(files))
        hidden = tuple(parse_file(row, device_code) for row in kept_back if row not in distinct)
        self.requests.append(Asked("device", device_code, archived, data, listing, hidden, caller=self.caller))
        return listing

    def count_files(self, device_code: str, window: TimeWindow) -> tuple[Counted, ...]:
        self._hook()
        try:
            self.repeat_quickly(lambda: self._answer(COUNTS, device_code, None))
        except MirrorError:
            self.requests.append(Asked(COUNTS, device_code, caller=self.caller))
            raise
        shelf = [one for one in self.everything() if one.device_code == device_code]
        rows = [one.row for one in shelf]
        # A row that is listed twice is one file here, too.
        found = [one.file for index, one in enumerate(shelf) if one.row not in rows[:index]]
        counted = tuple(
            Counted(file.product_code or "", file.extension, day, day + timedelta(days=1), 1, file.stored_bytes)
            for file in found
            if file.begins_at is not None and window.since <= file.begins_at < window.until
            for day in [file.begins_at.replace(hour=0, minute=0, second=0, microsecond=0)]
        )
        self.requests.append(Asked(COUNTS, device_code, counted=counted, caller=self.caller))
        return counted

    def still_lists(self, file: ArchiveFile) -> bool:
        windows = windows_with(file, self._clock())
        return any(row.filename == file.filename for row in self.list_files(file.device_code, **windows).files)

    def deployments(self, device_code: str) -> tuple[Deployment, ...]:
        self.repeat_quickly(lambda: self._answer("deployments", device_code, None))
        if device_code not in self.device_codes:
            return ()
        return (Deployment(device_code, None, None, None, None),)

    def products(self, device_code: str) -> tuple[Product, ...]:  # noqa: ARG002 - it offers none
        return ()

    def devices(self, **_: str | None) -> tuple[KnownDevice, ...]:
        return ()

    def measure_clock(self) -> timedelta:
        self._raise_struck(frozenset({Kind.CONNECT_TIMEOUT}), "clock", None, None)
        return self._clock() - datetime.now(UTC)

    @contextmanager
    def open_file(self, filename: str) -> Iterator[ReadableBody]:
        self._hook()
        self.requests.append(Asked("download", filename, caller=self.caller))
        self._answer("download", None, filename)
        try:
            shelved = self.shelved(filename)
        except LookupError:
            raise not_handed_out(filename) from None
        if shelved.listed_from > self._clock():
            raise not_handed_out(filename)
        if self.faults.strike(frozenset({Kind.NOT_READY}), "download", shelved.device_code, filename):
            raise not_handed_out(filename)
        if self.faults.strike(frozenset({Kind.GONE_BETWEEN}), "download", shelved.device_code, filename):
            self.vanish(filename)
            raise not_handed_out(filename)
        yield self._body(shelved.body, filename, shelved.device_code)

    def repeat_quickly(self, call: Callable[[], T]) -> T:
        for _ in range(self._quick_retries):
            try:
                return call()
            except TransientError as error:
                if isinstance(error, NotReadyError):
                    raise
        return call()

    def _rows(
        self, device_code: str, archived: TimeWindow | None, data: TimeWindow | None, extension: str | None
    ) -> tuple[list[Row], list[Row]]:
        """The rows that are listed, and those that are kept back."""
        wrong = self._answer("device", device_code, None)
        if device_code not in self.device_codes:
            raise unknown_device(device_code)
        found = [
            shelved.row
            for shelved in sorted(self.everything(), key=lambda shelved: str(shelved.row.get("dateFrom")))
            if shelved.device_code == device_code
            and _within(shelved.file, archived)
            and _overlaps(shelved.file, data)
            and extension in {None, shelved.file.extension}
        ]
        for fault in wrong:
            if fault.kind is Kind.EMPTY_LISTING:
                return [], found
            twice = [row for row in found if fault.matches("device", device_code, row.get("filename"))]
            found = sorted(found + twice, key=lambda row: str(row.get("dateFrom")))
        end = self.shortened.get(device_code, len(found))
        return found[:end], found[end:]

    def _answer(self, endpoint: str, device_code: str | None, filename: str | None) -> list[Fault]:
        """Raise what is wrong with the whole answer; return what is wrong with a listing's rows."""
        kinds = REFUSING
        if endpoint != "download":
            kinds |= BREAKING | WITHOUT_CONTENT
        self._raise_struck(kinds, endpoint, device_code, filename)
        if endpoint != "device":
            return []
        self._raise_struck(frozenset({Kind.GARBLED_JSON}), endpoint, device_code, filename)
        return self.faults.strike(MISLISTING, endpoint, device_code, filename)

    def _raise_struck(
        self, kinds: frozenset[Kind], endpoint: str, device_code: str | None, filename: str | None
    ) -> None:
        for fault in self.faults.strike(kinds, endpoint, device_code, filename):
            raise failure(fault, device_code or filename)

    def _body(self, body: bytes, filename: str, device_code: str) -> ReadableBody:
        for fault in self.faults.strike(DAMAGING | WITHOUT_CONTENT, "download", device_code, filename):
            body = damaged(body, fault.kind)
        for fault in self.faults.strike(BREAKING, "download", device_code, filename):
            return MemoryBody(body, len(body) // 2, failure(fault, filename))
        return MemoryBody(body)


def _within(file: ArchiveFile, archived: TimeWindow | None) -> bool:
    if archived is None or file.archived_at is None:
        return True
    since, until = parse_time(format_time(archived.since)), parse_time(format_time(archived.until, round_up=True))
    return since is not None and until is not None and since <= file.archived_at < until


def _overlaps(file: ArchiveFile, data: TimeWindow | None) -> bool:
    if data is None or file.begins_at is None:
        return True
    since, until = parse_time(format_time(data.since)), parse_time(format_time(data.until, round_up=True))
    end = file.ends_at or just_after(file.begins_at)
    return since is not None and until is not None and end > since and file.begins_at < until
