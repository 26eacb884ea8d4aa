"""Who works on what, for a while: claims on files, slots for transfers, and which runs are alive.

A lease is for as long as its owner renews it. That of a killed process ends by itself, and then anybody may take
over. Times are the caller's clock: machines that share a ledger must agree on the time to much less than
a lease. One that ends in more than a day was taken by a clock that ran far ahead, and counts as over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, func, or_, select, update

from onc_mirror.ledger.rows import key_of
from onc_mirror.ledger.tables import files, runs, slots
from onc_mirror.ledger.upserting import insert_into

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Insert

    from onc_mirror.ledger.transactions import Transactions
    from onc_mirror.model import ArchiveFile

LONGEST = timedelta(days=1)
"""No lease may be longer."""

# Well below SQLite's limit of 32766 parameters.
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Claimed:
    """What became of an attempt to claim files.

    Attributes:
        mine: Those that are the caller's now.
        elsewhere: Those that another owner has, with the end of its lease.
        changed: Those of which the ledger learnt something new since the caller looked; look again.
    """

    mine: tuple[ArchiveFile, ...]
    elsewhere: Mapping[ArchiveFile, datetime]
    changed: tuple[ArchiveFile, ...]


class Leases:
    """The leases in a ledger. Thread-safe, and safe with other processes: of two that claim, one gets it.

    Every method may be repeated, and raises `LedgerUnavailableError` when the database cannot be used.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def claim(
        self, wanted: Iterable[tuple[ArchiveFile, int]], *, owner: str, until: datetime, now: datetime
    ) -> Claimed:
        """Claim files that are in the ledger.

        Args:
            wanted: Files, each with the `revision` that the ledger had when it was decided to work on it. A file
                of which the ledger has learnt something since is not claimed: perhaps nothing is left to do.
            owner: Who claims: the run.
            until: End of the lease unless renewed.
            now: Leases up to here are over.
        """
        rows = {key_of(file.device_code, file.filename): (file, revision) for file, revision in wanted}
        # In the order of the key, so that two workers that claim the same files wait for each other.
        keys = sorted(rows)
        found: dict[tuple[str, str], tuple[int, str | None, datetime | None]] = {}
        for start in range(0, len(keys), _ROWS_AT_ONCE):
            part = keys[start : start + _ROWS_AT_ONCE]
            with self._database.writing() as connection:
                _claim(connection, [(*key, rows[key][1]) for key in part], owner, until, now)
                found |= _owners(connection, part)
        mine = tuple(rows[key][0] for key in keys if key in found and found[key][1] == owner)
        elsewhere = {
            rows[key][0]: lease_until
            for key, (_, holder, lease_until) in found.items()
            if holder not in {None, owner} and lease_until is not None and now < lease_until <= now + LONGEST
        }
        settled = {*mine, *elsewhere}
        return Claimed(mine, elsewhere, tuple(file for file, _ in rows.values() if file not in settled))

    def take_slots(  # noqa: PLR0913 - all by keyword
        self, lane: str, *, wanted: int, total: int, owner: str, until: datetime, now: datetime
    ) -> int:
        """Take up to `wanted` of a lane's `total` slots, on top of those the owner has, and say how many were free.

        All processes that share the ledger share the slots, so what runs in a lane is bounded across them. One owner
        must not ask twice at once.
        """
        taken = 0
        while taken < wanted:
            free, gained = self._take_free_slots(lane, wanted - taken, total, owner, until, now)
            taken += gained
            if not free:
                break
            # Of several that ask at the same moment all may try for the same ones; who lost looks again.
        return taken

    def _take_free_slots(  # noqa: PLR0913, PLR0917 - as `take_slots`
        self, lane: str, wanted: int, total: int, owner: str, until: datetime, now: datetime
    ) -> tuple[int, int]:
        """Try for slots that look free; say how many were tried for, and how many were had."""
        with self._database.writing() as connection:
            held = connection.execute(
                select(slots).where(slots.c.lane == lane, ~_is_over(slots.c.lease_until, now))
            ).all()
            before = len([row for row in held if row.owner == owner])
            taken = {row.number for row in held}
            free = [number for number in range(total) if number not in taken][:wanted]
            if not free:
                return 0, 0
            connection.execute(
                _take_if_free(self._database.dialect, now),
                [{"lane": lane, "number": number, "owner": owner, "lease_until": until} for number in free],
            )
            mine = select(func.count()).where(slots.c.lane == lane, slots.c.owner == owner, slots.c.lease_until > now)
            return len(free), int(connection.execute(mine).scalar_one()) - before

    def return_slots(self, lane: str, owner: str, *, count: int) -> None:
        """Give back up to `count` of the slots of a lane that the owner has."""
        mine = and_(slots.c.lane == lane, slots.c.owner == owner)
        with self._database.writing() as connection:
            numbers = list(connection.execute(select(slots.c.number).where(mine).limit(count)).scalars())
            connection.execute(delete(slots).where(mine, slots.c.number.in_(numbers)))

    def renew(self, owner: str, until: datetime) -> None:
        """Prolong everything the owner has: claims, slots, and its being alive."""
        with self._database.writing() as connection:
            # The order of tables is that of `release`, so that both wait for each other.
            connection.execute(update(files).where(files.c.lease_owner == owner).values(lease_until=until))
            connection.execute(update(slots).where(slots.c.owner == owner).values(lease_until=until))
            alive = update(runs).where(runs.c.run_id == owner, runs.c.finished_at.is_(None))
            connection.execute(alive.values(alive_until=until))

    def release(self, owner: str) -> None:
        """End all that the owner has."""
        with self._database.writing() as connection:
            _release(connection, owner)

    def has_died(self, run_id: str, now: datetime) -> bool:
        """Whether a run has begun, has not ended, and has given no sign of life for a lease."""
        silent = select(runs.c.run_id).where(
            runs.c.run_id == run_id, runs.c.finished_at.is_(None), runs.c.alive_until < now
        )
        with self._database.reading() as connection:
            return connection.execute(silent).first() is not None

    def release_ended(self, has_ended: Callable[[str], bool], now: datetime) -> tuple[str, ...]:
        """End all that killed runs have, and say which they are.

        Args:
            has_ended: Tells by its name that a run's process has ended.
            now: Runs that counted as alive up to here need nothing: their leases are over.
        """
        alive = select(runs.c.run_id, runs.c.process).where(
            runs.c.finished_at.is_(None), runs.c.process.is_not(None), runs.c.alive_until > now
        )
        with self._database.reading() as connection:
            dead = [row.run_id for row in connection.execute(alive) if has_ended(row.process)]
        for run_id in dead:
            with self._database.writing() as connection:
                _release(connection, run_id)
                connection.execute(update(runs).where(runs.c.run_id == run_id).values(alive_until=now))
        return tuple(dead)


def _release(connection: Connection, owner: str) -> None:
    connection.execute(update(files).where(files.c.lease_owner == owner).values(lease_owner=None, lease_until=None))
    connection.execute(delete(slots).where(slots.c.owner == owner))


def _claim(
    connection: Connection, rows: Sequence[tuple[str, str, int]], owner: str, until: datetime, now: datetime
) -> None:
    free = or_(files.c.lease_owner.is_(None), files.c.lease_owner == owner, _is_over(files.c.lease_until, now))
    statement = (
        update(files)
        .where(
            files.c.device_code == bindparam("device"),
            files.c.filename == bindparam("name"),
            files.c.revision == bindparam("known_revision"),
            free,
        )
        .values(lease_owner=owner, lease_until=until)
    )
    parameters: list[dict[str, Any]] = [
        {"device": device, "name": name, "known_revision": revision} for device, name, revision in rows
    ]
    connection.execute(statement, parameters)


def _owners(
    connection: Connection, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[int, str | None, datetime | None]]:
    columns = (files.c.device_code, files.c.filename, files.c.revision, files.c.lease_owner, files.c.lease_until)
    by_device: dict[str, list[str]] = {}
    for device, name in keys:
        by_device.setdefault(device, []).append(name)
    this = or_(*(and_(files.c.device_code == code, files.c.filename.in_(names)) for code, names in by_device.items()))
    rows = connection.execute(select(*columns).where(this))
    return {(row.device_code, row.filename): (row.revision, row.lease_owner, row.lease_until) for row in rows}


def _take_if_free(dialect: str, now: datetime) -> Insert:
    insert = insert_into(slots, dialect)
    changes = {"owner": insert.excluded.owner, "lease_until": insert.excluded.lease_until}
    return insert.on_conflict_do_update(
        index_elements=["lane", "number"], set_=changes, where=_is_over(slots.c.lease_until, now)
    )


def _is_over(until: ColumnElement[datetime], now: datetime) -> ColumnElement[bool]:
    return or_(until <= now, until > now + LONGEST)
