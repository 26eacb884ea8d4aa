"""All that the ledger knows of single files, and an operator's word that one is to be tried again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select, update

from onc_mirror.changes import Content, read_content
from onc_mirror.ledger.rows import archive_file, clean_text, key_of
from onc_mirror.ledger.summarising import read_files
from onc_mirror.ledger.tables import files
from onc_mirror.model import BY_THE_ROW, ArchiveFile, Grade, State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from sqlalchemy import Row

    from onc_mirror.ledger.summarising import FileRecord
    from onc_mirror.ledger.transactions import Transactions

_OBJECT = ("key", "sha256", "size_bytes", "mirrored_at", "last_read_at")
_STANDING = ("reason", "rule", "detail", "state_since", "attempts", "next_try_at", "settled_at", "settled_bytes")
_REST = ("quarantine_key", "quarantine_sha256", "first_listed_at", "last_listed_at", "last_run_id", "revision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """One file, with all that the ledger knows of it.

    Attributes:
        file: As last listed.
        state: Where it stands.
        reason: Fixed slug, or empty.
        rule: For `FILTERED`, the rule.
        detail: One sentence for people, or empty.
        state_since: Since when it is in this state.
        attempts: How often it was tried in vain.
        next_try_at: Before when it is not tried again; None: the next run, or never.
        settled_at: When the archive had last touched it when its state was decided by its bytes or row, or None.
        settled_bytes: Its size then, or None.
        key: Key of the proven object, None when there never was one; so with the next five.
        sha256: Its measured hash.
        size_bytes: Its measured size.
        grade: How far it was proven.
        mirrored_at: When.
        last_read_at: When it was last read back.
        content: What it contains, as far as known.
        quarantine_key: Where the last bad bytes are, or None.
        quarantine_sha256: Their measured hash, or None.
        first_listed_at: When it was first listed.
        last_listed_at: When last.
        last_run_id: The run that listed or decided last.
        revision: Grows with everything that becomes of the file.
    """

    file: ArchiveFile
    state: State
    reason: str
    rule: str | None
    detail: str
    state_since: datetime
    attempts: int
    next_try_at: datetime | None
    settled_at: datetime | None
    settled_bytes: int | None
    key: str | None
    sha256: str | None
    size_bytes: int | None
    grade: Grade | None
    mirrored_at: datetime | None
    last_read_at: datetime | None
    content: Content | None
    quarantine_key: str | None
    quarantine_sha256: str | None
    first_listed_at: datetime
    last_listed_at: datetime
    last_run_id: str
    revision: int

    @property
    def is_of_the_row(self) -> bool:
        """Whether the file was refused for its row alone: no bytes of it were ever asked for."""
        return self.state is State.QUARANTINED and self.reason in BY_THE_ROW


class Dossiers:
    """Single files in a ledger, for operators. Thread-safe.

    Every method raises `LedgerUnavailableError` when the database cannot be used.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def find(self, filename: str, device_code: str | None = None) -> tuple[Dossier, ...]:
        """Return the files of this name, of all devices or of one, by device."""
        query = select(files).where(files.c.filename == key_of("", filename)[1])
        if device_code is not None:
            query = query.where(files.c.device_code == key_of(device_code, "")[0])
        with self._database.reading() as connection:
            return tuple(_dossier(row) for row in connection.execute(query.order_by(files.c.device_code)))

    def quarantined(
        self, *, device_codes: Collection[str] = (), reasons: Collection[str] = (), limit: int | None = None
    ) -> tuple[tuple[FileRecord, ...], int]:
        """Return the quarantined files, longest in that state first, at most `limit`, and how many there are.

        Args:
            device_codes: Of these devices; empty: of all.
            reasons: For one of these reasons; empty: for any.
            limit: How many to return; None: all.
        """
        chosen = select(func.count()).where(files.c.state == State.QUARANTINED)
        if device_codes:
            chosen = chosen.where(files.c.device_code.in_([key_of(code, "")[0] for code in device_codes]))
        if reasons:
            chosen = chosen.where(files.c.reason.in_(reasons))
        with self._database.reading() as connection:
            total = connection.execute(chosen).scalar_one()
            return read_files(connection, (State.QUARANTINED,), device_codes, limit, reasons), total

    def retry(self, wanted: Iterable[tuple[str, str]], *, detail: str, now: datetime) -> frozenset[tuple[str, str]]:
        """Hold quarantined files, due at once and with the ladder of attempts begun anew.

        Args:
            wanted: Device code and filename of each.
            detail: The sentence that says why; the reason of the quarantine stays.
            now: The caller's clock.

        Returns:
            Those that were quarantined for more than their row, and that no run works on: they are held now.
        """
        held = []
        with self._database.writing() as connection:
            for device_code, filename in wanted:
                device_key, name = key_of(device_code, filename)
                statement = (
                    update(files)
                    .where(files.c.device_code == device_key, files.c.filename == name)
                    .where(files.c.state == State.QUARANTINED, files.c.reason.not_in(BY_THE_ROW))
                    .where(or_(files.c.lease_owner.is_(None), files.c.lease_until <= now))
                    .values(state=State.HELD.value, state_since=now, attempts=0, next_try_at=None)
                    .values(detail=clean_text(detail), revision=files.c.revision + 1)
                )
                if connection.execute(statement).rowcount:
                    held.append((device_code, filename))
        return frozenset(held)


def _dossier(row: Row[tuple[object, ...]]) -> Dossier:
    columns = row._mapping  # noqa: SLF001 - public by SQLAlchemy's documentation, in spite of its name
    return Dossier(
        file=archive_file(row),
        state=State(columns["state"]),
        grade=None if columns["grade"] is None else Grade(columns["grade"]),
        content=read_content(columns["found"]),
        **{name: columns[name] for name in (*_OBJECT, *_STANDING, *_REST)},
    )
