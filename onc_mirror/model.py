"""The words of the mirror, as frozen values: archive files, windows, verdicts, stored objects, decisions.

This module is the only place where these values are defined. They are parsed and checked at the ports
(`archive`, `store`, `ledger`) and trusted everywhere else. Times are timezone-aware UTC, sizes are bytes.
It does no I/O and reads no clock.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from onc_mirror.errors import UnsafeNameError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from onc_mirror.changes import Content


HDF5_EXTENSIONS = frozenset({"hdf5", "h5"})
"""Extensions of files that can be proven beyond their size."""

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""How an HDF5 file, or its superblock behind a user block, begins (File Format Specification 3.0, II.A)."""

WRONG_DEVICE = "wrong-device"
"""Reason for a row that the archive listed under another device than its own."""


BY_THE_ROW = (WRONG_DEVICE, UnsafeNameError.reason)
"""Reasons for a quarantine that the row alone gives, without a download; looked at again at every listing."""

MISSING_OBJECT = "missing-object"
"""Reason for fetching a mirrored file again: its object is not there."""

DAMAGED_OBJECT = "damaged-object"
"""Reason for fetching a mirrored file again: its object is not what was proven."""


def listed_for_another(device_code: str) -> str:
    """Say of a row of the wrong device for which one the archive listed it."""
    return f"The archive listed it when asked for {device_code}."


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A half-open span of time, `since <= t < until`.

    Attributes:
        since: Begin, UTC, inclusive.
        until: End, UTC, exclusive; later than `since`.
    """

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since.tzinfo is None or self.until.tzinfo is None:
            raise ValueError("A window needs times with a zone.")
        if self.since >= self.until:
            raise ValueError(f"A window must begin before it ends: {self.since} .. {self.until}.")


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the device table.

    Attributes:
        code: Device code at ONC, exact including case, e.g. `TUMLIDAR001`.
        location: Location code, or None when unknown.
        category: Device category code, or None when unknown.
        deployed: Whether the table says it is in the water; the archive's `/deployments` overrules it.
    """

    code: str
    location: str | None = None
    category: str | None = None
    deployed: bool = True


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One row of the archive's listing (`returnOptions=all`).

    Only `filename` and `device_code` are sure to be there; the archive may leave out or null the rest.

    Attributes:
        filename: Name in the archive, unique there. Not trusted: `layout` decides whether it can be a key.
        device_code: Device code of the row; of the request when the row has none.
        product_code: Data product code such as `SMRD`, or None.
        begins_at: `dateFrom`, the first instant of the data.
        ends_at: `dateTo`, the instant after the data.
        archived_at: `archivedDate`, when the archive took it in.
        modified_at: `modifyDate`.
        stored_bytes: `fileSize`: the size in the archive, compressed where `compression` is set.
        uncompressed_bytes: `uncompressedFileSize`.
        compression: Name of the archive's own compression (`gz`), or None.
        row: The row word for word, unknown keys included.
    """

    filename: str
    device_code: str
    product_code: str | None = None
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    archived_at: datetime | None = None
    modified_at: datetime | None = None
    stored_bytes: int | None = None
    uncompressed_bytes: int | None = None
    compression: str | None = None
    row: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    @property
    def expected_bytes(self) -> int | None:
        """Bytes the download must have: the archive delivers uncompressed whatever it stores. None: unknown."""
        return self.uncompressed_bytes if self.compression else self.stored_bytes

    @property
    def changed_at(self) -> datetime | None:
        """When the archive last touched the file: the later of `archived_at` and `modified_at`, which trails it."""
        return max((time for time in (self.archived_at, self.modified_at) if time is not None), default=None)

    @property
    def extension(self) -> str:
        """The extension in lower case without its dot, `""` when there is none."""
        return PurePosixPath(self.filename).suffix.lstrip(".").lower()


@dataclass(frozen=True, slots=True)
class Listing:
    """What the archive listed for one device.

    Attributes:
        device_code: The device asked for.
        window: The window of archive time asked for; None: any.
        files: One value per distinct row, in the archive's order. Identical rows that appeared twice are
            once in here.
        duplicates: How many identical rows were dropped.
        unlisted: Files that were asked for by their names and that the archive does not list.
        doubt: Why the listing is not to be believed whole, in one sentence; None when it is. What it lists is there
            all the same.
    """

    device_code: str
    window: TimeWindow | None
    files: tuple[ArchiveFile, ...]
    duplicates: int = 0
    unlisted: tuple[ArchiveFile, ...] = ()
    doubt: str | None = None


class Grade(enum.StrEnum):
    """How far a file was proven, from weakest to strongest."""

    SIZE = "size"
    OPEN = "open"
    STRUCTURE = "structure"
    CONTENT = "content"

    @property
    def rank(self) -> int:
        """0 for the weakest grade."""
        return list(Grade).index(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What validation found.

    Attributes:
        grade: The highest grade the file passed; None when it passed none.
        reason: None when the asked-for grade was reached, else a fixed slug such as `truncated-file`.
        detail: One sentence for people; empty when there is nothing to say.
        found: What the file contains, JSON-ready: `groups`, `datasets` (path, shape, dtype), `attributes`.
    """

    grade: Grade | None
    reason: str | None = None
    detail: str = ""
    found: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    @property
    def passed(self) -> bool:
        """Whether the file reached the grade that was asked for."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A complete download in scratch.

    Attributes:
        path: The file in scratch; it has the expected size and is closed.
        size_bytes: Measured size.
        sha256: Measured while it streamed in, hexadecimal.
        md5: As `sha256`; for the store's Content-MD5 check, not for security.
    """

    path: Path
    size_bytes: int
    sha256: str
    md5: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in the store.

    Attributes:
        key: Key under the store URL, without a leading slash.
        size_bytes: Size as the store says.
        metadata: The object's own metadata, keys in lower case; empty where a listing does not tell.
        etag: The store's tag without quotes, or None.
        modified_at: When the store last wrote it, UTC, or None.
    """

    key: str
    size_bytes: int
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    etag: str | None = None
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProvenObject:
    """The object that the ledger knows to hold a file, of the time when it was mirrored.

    Attributes:
        key: Its key then.
        sha256: Measured hash of its bytes.
        damaged: Whether it was since found to be missing, or not what was proven, and has not been put right yet.
        content: What it contains, as far as the ledger knows.
    """

    key: str
    sha256: str
    damaged: bool = False
    content: Content | None = None


class State(enum.StrEnum):
    """Where an archive file stands in the ledger. Every file ever listed is in exactly one state."""

    LISTED = "listed"
    MIRRORED = "mirrored"
    HELD = "held"
    QUARANTINED = "quarantined"
    FILTERED = "filtered"
    GONE = "gone"


class Decision(enum.StrEnum):
    """What became of a listed file in one run; `FETCH` is what the planner says before the run acts on it."""

    FETCH = "fetch"
    MIRRORED = "mirrored"
    ALREADY = "already"
    HELD = "held"
    QUARANTINED = "quarantined"
    FILTERED = "filtered"
    GONE = "gone"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one listed file in one run.

    Attributes:
        file: The archive row.
        decision: Anything but `FETCH`.
        reason: Fixed slug (`stalled`, `wrong-size`, `extension`, ...); empty for `MIRRORED` and `ALREADY`.
        detail: One sentence for people: what happened, what to do next. Never holds the token.
        key: Where the bytes are, or None.
        size_bytes: Bytes transferred in this run, 0 when none.
        sha256: Measured hash, or None.
        grade: Grade passed, or None.
        next_try_at: For `HELD` and `FAILED`, the earliest next attempt, UTC; None means the next run.
        blames_file: For `HELD` and `FAILED`, whether the file itself is at fault; not so when archive, store or this
            machine is down, which says nothing about it.
        content: For `MIRRORED`, what the object contains, or None when it is not known.
    """

    file: ArchiveFile
    decision: Decision
    reason: str = ""
    detail: str = ""
    key: str | None = None
    size_bytes: int = 0
    sha256: str | None = None
    grade: Grade | None = None
    next_try_at: datetime | None = None
    blames_file: bool = True
    content: Content | None = None
