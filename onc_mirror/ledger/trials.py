"""How often a file was tried in vain, and whether the archive delivered others meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from onc_mirror.ledger.rows import has_changed, key_of
from onc_mirror.ledger.tables import files
from onc_mirror.model import State

if TYPE_CHECKING:
    from datetime import datetime

    from onc_mirror.ledger.transactions import Transactions
    from onc_mirror.model import ArchiveFile


@dataclass(frozen=True, slots=True)
class Tried:
    """What is known of the attempts at a file.

    Attributes:
        failed: How many have failed by its own fault since its row is as it is; 0 when it was not held.
        held_since: Since when it is held, or filtered, UTC; None when it is neither.
    """

    failed: int
    held_since: datetime | None


class Trials:
    """The attempts in a ledger. Thread-safe.

    Every method raises `LedgerUnavailableError` when the database cannot be used.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def of(self, file: ArchiveFile) -> Tried:
        """Return what is known of the attempts at `file`; those at an older row of the archive do not count."""
        device_code, filename = key_of(file.device_code, file.filename)
        columns = (files.c.attempts, files.c.state_since, files.c.settled_at, files.c.settled_bytes)
        query = select(*columns).where(
            files.c.device_code == device_code,
            files.c.filename == filename,
            files.c.state.in_((State.HELD, State.FILTERED)),  # a filter is no way round the ladder
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return Tried(0, None)
        failed = 0 if has_changed(file, row.settled_at, row.settled_bytes) else row.attempts
        return Tried(failed, row.state_since)

    def others_came(self, since: datetime, now: datetime) -> bool:
        """Whether any file was mirrored after `since`. What a clock that ran ahead of `now` wrote does not count."""
        query = select(files.c.filename).where(files.c.mirrored_at > since, files.c.mirrored_at <= now).limit(1)
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None
