"""The objects under `raw/` as bytes to be read again: which, how many, and when each was last proven.

A reading proves an object as the ledger knew it when it was read: of one replaced meanwhile nothing is noted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, select, update

from onc_mirror.ledger.rows import archive_file, key_of
from onc_mirror.ledger.tables import files
from onc_mirror.model import State

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row

    from onc_mirror.ledger.transactions import Transactions
    from onc_mirror.model import ArchiveFile


@dataclass(frozen=True, slots=True)
class Stock:
    """The objects that the ledger knows.

    Attributes:
        objects: How many.
        bytes: Of all of them.
        unread_objects: Those that were never read back.
        unread_bytes: Of these.
        due_bytes: Of those that were last proven before the moment asked about.
        damaged_objects: Those known to be missing or damaged.
        oldest_reading: When the one whose reading is longest ago was proven; None when none was read back.
    """

    objects: int
    bytes: int
    unread_objects: int
    unread_bytes: int
    due_bytes: int
    damaged_objects: int
    oldest_reading: datetime | None


@dataclass(frozen=True, slots=True)
class ProvenBytes:
    """An object to be read, as the ledger knows it.

    Attributes:
        device_code: Its device, as in the ledger's key.
        filename: Its file, as in the ledger's key.
        key: Where it is.
        sha256: What it was proven to have.
        size_bytes: Its size, 0 when unknown.
    """

    device_code: str
    filename: str
    key: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What the ledger knows of a file at this moment, for a decision about its object.

    Attributes:
        file: As last listed.
        revision: Grows with everything that becomes of the file.
        state: Where it stands.
        reason: Why, or empty.
        detail: For people, or empty.
        next_try_at: Before when a held file is not tried again, or None.
        object: What is to be read; None when there is no object any more.
    """

    file: ArchiveFile
    revision: int
    state: State
    reason: str
    detail: str
    next_try_at: datetime | None
    object: ProvenBytes | None


class Readings:
    """When each object was last read and proven. Thread-safe.

    Every method may be repeated, and raises `LedgerUnavailableError` when the database cannot be used.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def stock(self, due_before: datetime, device_codes: Collection[str] = ()) -> Stock:
        """Count the objects, of all devices or of some.

        Args:
            due_before: What was last proven before this moment is due.
            device_codes: Device codes; empty means all.
        """
        unread, size = files.c.last_read_at.is_(None), func.coalesce(files.c.size_bytes, 0)
        query = select(
            func.count().label("objects"),
            _sum(size).label("bytes"),
            _sum(case((unread, 1), else_=0)).label("unread_objects"),
            _sum(case((unread, size), else_=0)).label("unread_bytes"),
            _sum(case((files.c.last_read_at < due_before, size), else_=0)).label("due_bytes"),
            _sum(case((files.c.damaged_at.is_not(None), 1), else_=0)).label("damaged_objects"),
            func.min(files.c.last_read_at).label("oldest_reading"),
        ).where(_has_object(device_codes))
        with self._database.reading() as connection:
            row = connection.execute(query).one()
        return Stock(
            objects=int(row.objects),
            bytes=int(row.bytes),
            unread_objects=int(row.unread_objects),
            unread_bytes=int(row.unread_bytes),
            due_bytes=int(row.due_bytes),
            damaged_objects=int(row.damaged_objects),
            oldest_reading=row.oldest_reading,
        )

    def take(
        self, wants: Callable[[ProvenBytes], bool], device_codes: Collection[str] = (), *, limit: int
    ) -> list[ProvenBytes]:
        """Return objects for as long as `wants` says so: never read ones first, then by how long ago they were.

        Those known to be damaged come last: to read them again is the least urgent. At most `limit`.
        """
        names = ("device_code", "filename", "key", "sha256", "size_bytes")
        order = (
            files.c.damaged_at.is_not(None),
            files.c.last_read_at.is_not(None),
            files.c.last_read_at,
            files.c.mirrored_at,
            files.c.device_code,
            files.c.filename,
        )
        query = select(*(files.c[name] for name in names)).where(_has_object(device_codes)).order_by(*order)
        taken: list[ProvenBytes] = []
        with self._database.reading() as connection:
            for row in connection.execute(query.limit(limit)):
                found = _proven_bytes(row)
                if not wants(found):
                    break
                taken.append(found)
        return taken

    def newest_keys(self, device_code: str, limit: int) -> tuple[str, ...]:
        """Return the keys of the objects of the device's newest archived files, without those known to be damaged."""
        sound = and_(files.c.state == State.MIRRORED, files.c.key.is_not(None), files.c.damaged_at.is_(None))
        query = select(files.c.key).where(files.c.device_code == key_of(device_code, "")[0], sound)
        with self._database.reading() as connection:
            newest = query.order_by(files.c.archived_at.desc()).limit(limit)
            return tuple(connection.execute(newest).scalars())

    def look_up(self, object_: ProvenBytes) -> KnownFile | None:
        """Return how the file of an object stands now, None when the ledger does not know it any more."""
        with self._database.reading() as connection:
            row = connection.execute(select(files).where(_is_file(object_))).one_or_none()
        if row is None:
            return None
        there = row.key is not None and row.sha256 is not None
        return KnownFile(
            archive_file(row),
            row.revision,
            State(row.state),
            row.reason,
            row.detail,
            row.next_try_at,
            _proven_bytes(row) if there else None,
        )

    def note_proven(self, objects: Iterable[ProvenBytes], now: datetime) -> None:
        """Note that objects were read and are what was proven; an object that was replaced meanwhile is left out."""
        with self._database.writing() as connection:
            for one in objects:
                same = and_(_is_file(one), files.c.key == one.key, files.c.sha256 == one.sha256)
                connection.execute(update(files).where(same).values(last_read_at=now, damaged_at=None))

    def note_sound(self, file: ArchiveFile, sha256: str, now: datetime) -> None:
        """Note that a file's object was read and has this SHA-256 after all."""
        device_code, filename = key_of(file.device_code, file.filename)
        this = and_(files.c.device_code == device_code, files.c.filename == filename, files.c.sha256 == sha256)
        with self._database.writing() as connection:
            connection.execute(update(files).where(this).values(last_read_at=now, damaged_at=None))


def _has_object(device_codes: Collection[str]) -> ColumnElement[bool]:
    there = and_(files.c.key.is_not(None), files.c.sha256.is_not(None))
    keys = [key_of(code, "")[0] for code in device_codes]
    return and_(there, files.c.device_code.in_(keys)) if keys else there


def _is_file(object_: ProvenBytes) -> ColumnElement[bool]:
    return and_(files.c.device_code == object_.device_code, files.c.filename == object_.filename)


def _sum(what: Any) -> Any:
    return func.coalesce(func.sum(what), 0)


def _proven_bytes(row: Row[Any]) -> ProvenBytes:
    return ProvenBytes(row.device_code, row.filename, row.key, row.sha256, row.size_bytes or 0)
