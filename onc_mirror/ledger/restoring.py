"""Writing into the ledger what the bucket alone can tell, after the ledger was lost.

Guarantee: only rows are added, and rows that a rebuild has written are completed; what any other run has recorded
of a file stays as it is. So a rebuild that was killed is simply repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, or_, select

from onc_mirror.flow_names import REBUILD
from onc_mirror.ledger import recording
from onc_mirror.ledger.tables import devices, files, runs
from onc_mirror.ledger.upserting import insert_into
from onc_mirror.model import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, Insert

    from onc_mirror.ledger.transactions import Transactions
    from onc_mirror.model import Outcome


@dataclass(frozen=True, slots=True)
class Span:
    """What the bucket has of a device.

    Attributes:
        newest: When the archive took in the newest of its files.
        first: When the mirror brought the first of them to its end.
    """

    newest: datetime
    first: datetime


class Restoration:
    """The part of the ledger that a rebuild writes. Thread-safe.

    Every method may be repeated, and raises `LedgerUnavailableError` when the database cannot be used.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def is_needed(self) -> bool:
        """Whether the ledger knows nothing but what a rebuild, killed since, has written."""
        with self._database.reading() as connection:
            known = connection.execute(select(files.c.filename).where(~_is_restored()).limit(1)).first()
            seen = connection.execute(select(devices.c.device_code).where(_has_run_otherwise()).limit(1)).first()
        return known is None and seen is None

    def restore(self, ends: Iterable[tuple[Outcome, datetime]], run_id: str) -> None:
        """Enter how files once ended.

        Args:
            ends: `MIRRORED` and `QUARANTINED`, each with its moment; of one file in the order in which they happened.
                What is mirrored later than it was quarantined is mirrored, and the other way round. Of what is
                mirrored in two places the earlier counts.
            run_id: The rebuild.
        """
        rows: dict[State, list[dict[str, Any]]] = {}
        for outcome, moment in ends:
            for (state, _), made in recording.outcome_rows([outcome], run_id=run_id, now=moment).items():
                rows.setdefault(state, []).extend(made)
        for state, some in rows.items():
            self._database.execute_all(_statement(self._database.dialect, state), some)

    def spans(self) -> Mapping[str, Span]:
        """Return what was restored of each device."""
        query = (
            select(files.c.device_code, func.max(files.c.archived_at), func.min(files.c.first_listed_at))
            .where(_is_restored(), files.c.archived_at.is_not(None))
            .group_by(files.c.device_code)
        )
        with self._database.reading() as connection:
            return {code: Span(newest, first) for code, newest, first in connection.execute(query)}

    def restore_watermarks(self, watermarks: Mapping[str, datetime], now: datetime) -> None:
        """Enter the watermarks of devices that have none."""
        rows = [
            {"device_code": code, "watermark": until, "updated_at": now} for code, until in sorted(watermarks.items())
        ]
        self._database.execute_all(insert_into(devices, self._database.dialect).on_conflict_do_nothing(), rows)


def _is_restored() -> ColumnElement[bool]:
    return files.c.last_run_id.in_(select(runs.c.run_id).where(runs.c.flow == REBUILD))


def _has_run_otherwise() -> ColumnElement[bool]:
    """Whether anything but rebuilds ever ran, so that watermarks may be of listings."""
    return select(runs.c.run_id).where(runs.c.flow != REBUILD).exists()


def _statement(dialect: str, state: State) -> Insert:
    insert = insert_into(files, dialect)
    new = insert.excluded
    ended = files.c.state_since <= new.state_since
    where = _is_restored()
    if state is State.MIRRORED:
        # Of two objects in two places a killed run has published one and not yet retired the other. The ledger knew
        # the earlier; the next run finds the later, and retires that.
        first = or_(files.c.mirrored_at.is_(None), new.mirrored_at <= files.c.mirrored_at, new.key == files.c.key)
        where = and_(where, first)
        ended = or_(ended, and_(files.c.state == State.MIRRORED, new.key != files.c.key))
    # An object that came later is what the file is; one before a quarantine is only still there. And back.
    changes: dict[str, Any] = {name: case((ended, new[name]), else_=files.c[name]) for name in _ends()}
    if state is State.MIRRORED:
        changes |= {name: new[name] for name in recording.OBJECT}
    else:
        latest = or_(ended, files.c.state == State.MIRRORED)
        changes |= {name: case((latest, new[name]), else_=files.c[name]) for name in recording.BAD_COPY}
    return insert.on_conflict_do_update(index_elements=recording.KEY, set_=changes, where=where)


def _ends() -> tuple[str, ...]:
    """The columns that tell of the file's last end, and of its row then."""
    return (*recording.FAILURE, *recording.SETTLED, *recording.RELISTED)
