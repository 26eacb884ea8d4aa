"""How the mirror stands, by a few numbers per device and flow that an index answers, however large the ledger is.

`summarising` has the fuller picture, and reads every row for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text

from onc_mirror.ledger.beginnings import NEVER_LISTED
from onc_mirror.ledger.leases import LONGEST
from onc_mirror.ledger.summarising import KILLED
from onc_mirror.ledger.tables import devices, files, runs
from onc_mirror.model import State
from onc_mirror.report.document import SUCCESSES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from onc_mirror.ledger.transactions import Transactions

_APART = timedelta(minutes=5)
"""How far the clocks of machines that share a ledger may be apart. What ended later than that was noted by one that
ran ahead, and says nothing of when: else a mirror that has died would live until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceVitals:
    """One device.

    Attributes:
        device_code: The device.
        watermark: As `DeviceSummary`.
        is_doubted: Whether its listings are not believed.
        files: Number of files by state; all states are in here.
        oldest_held_since: Since when the longest-held file is held, or None.
        newest_data_at: The end of the newest data that are mirrored, or None.
        archive_lag: How long after their end the archive took those data in, or None when it does not say.
    """

    device_code: str
    watermark: datetime | None
    is_doubted: bool
    files: Mapping[State, int]
    oldest_held_since: datetime | None
    newest_data_at: datetime | None
    archive_lag: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowVitals:
    """The runs of one flow.

    Attributes:
        flow: What runs.
        ended: Number of runs by state; killed ones under `killed`.
        last_end_at: When one ended last with a report, or None.
        last_seconds: How long that one took, or None.
        last_success_at: When one ended last in which nothing failed, or None.
    """

    flow: str
    ended: Mapping[str, int]
    last_end_at: datetime | None
    last_seconds: float | None
    last_success_at: datetime | None


class Vitals:
    """The few numbers of a ledger. Thread-safe.

    Every method raises `LedgerUnavailableError` when the database cannot be used.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def devices(self) -> tuple[DeviceVitals, ...]:
        """Return every device that has a watermark or a file, sorted by code."""
        by_state = select(files.c.device_code, files.c.state, func.count().label("files"))
        with self._database.reading() as connection:
            standing = {row.device_code: row for row in connection.execute(select(devices))}
            counts: dict[str, dict[State, int]] = {code: {} for code in standing}
            for row in connection.execute(by_state.group_by(files.c.device_code, files.c.state)):
                counts.setdefault(row.device_code, {})[State(row.state)] = row.files
            return tuple(
                _device(connection, code, standing.get(code), {state: found.get(state, 0) for state in State})
                for code, found in sorted(counts.items())
            )

    def flows(self, now: datetime) -> tuple[FlowVitals, ...]:
        """Return every flow of which a run is over, sorted by name; `now` tells the killed runs from those alive."""
        found: dict[str, dict[str, tuple[int, datetime | None]]] = {}
        believed = runs.c.finished_at <= now + _APART
        number, last = func.count().label("number"), func.max(runs.c.finished_at).filter(believed).label("last")
        ended = select(runs.c.flow, runs.c.state, number, last).where(runs.c.finished_at.is_not(None))
        killed = select(runs.c.flow, number).where(runs.c.finished_at.is_(None), runs.c.alive_until < now)
        with self._database.reading() as connection:
            for row in connection.execute(ended.group_by(runs.c.flow, runs.c.state)):
                found.setdefault(row.flow, {})[row.state] = (row.number, row.last)
            for row in connection.execute(killed.group_by(runs.c.flow)):
                found.setdefault(row.flow, {})[KILLED] = (row.number, None)
            return tuple(_flow(connection, flow, states, now) for flow, states in sorted(found.items()))

    def at_work(self, flow: str, now: datetime) -> tuple[str, datetime] | None:
        """Return the latest run of a flow that gives signs of life, and when it began; None: there is none."""
        working = (
            select(runs.c.run_id, runs.c.started_at)
            .where(runs.c.flow == flow, runs.c.finished_at.is_(None))
            .where(runs.c.alive_until.between(now, now + LONGEST))
        )
        with self._database.reading() as connection:
            row = connection.execute(working.order_by(runs.c.started_at.desc()).limit(1)).one_or_none()
        return None if row is None else (row.run_id, row.started_at)

    def size_bytes(self) -> int:
        """Return the bytes that the database takes."""
        with self._database.reading() as connection:
            if connection.dialect.name == "postgresql":
                return int(connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one())
            pages, page = (
                connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("page_count", "page_size")
            )
            return int(pages) * int(page)


def _device(
    connection: Connection, code: str, standing: Row[Any] | None, counts: Mapping[State, int]
) -> DeviceVitals:
    newest = _newest(connection, code) if counts[State.MIRRORED] else None
    ends_at = None if newest is None else newest.ends_at or newest.begins_at
    return DeviceVitals(
        device_code=code,
        watermark=standing.watermark if standing and standing.updated_at != NEVER_LISTED else None,
        is_doubted=bool(standing and standing.suspicion is not None),
        files=MappingProxyType(counts),
        oldest_held_since=_oldest_held(connection, code) if counts[State.HELD] else None,
        newest_data_at=ends_at,
        archive_lag=newest.archived_at - ends_at if newest is not None and newest.archived_at else None,
    )


def _newest(connection: Connection, code: str) -> Row[Any] | None:
    # Wrapped, so that no database looks for the state by its index: that finds all mirrored files and sorts them. By
    # data time backwards, the first few rows have one.
    mirrored = func.coalesce(files.c.state, "") == State.MIRRORED.value
    newest = select(files.c.begins_at, files.c.ends_at, files.c.archived_at).where(
        files.c.device_code == code, files.c.begins_at.is_not(None), mirrored
    )
    return connection.execute(newest.order_by(files.c.begins_at.desc()).limit(1)).one_or_none()


def _oldest_held(connection: Connection, code: str) -> datetime | None:
    query = select(func.min(files.c.state_since)).where(files.c.device_code == code, files.c.state == State.HELD)
    oldest: datetime | None = connection.execute(query).scalar_one()
    return oldest


def _flow(
    connection: Connection, flow: str, states: Mapping[str, tuple[int, datetime | None]], now: datetime
) -> FlowVitals:
    last = connection.execute(
        select(runs.c.started_at, runs.c.finished_at)
        .where(runs.c.flow == flow, runs.c.finished_at <= now + _APART)
        .order_by(runs.c.finished_at.desc())
        .limit(1)
    ).one_or_none()
    successes = [at for state in SUCCESSES if state in states and (at := states[state][1]) is not None]
    return FlowVitals(
        flow=flow,
        ended=MappingProxyType({state: number for state, (number, _) in states.items()}),
        last_end_at=last.finished_at if last else None,
        last_seconds=(last.finished_at - last.started_at).total_seconds() if last else None,
        last_success_at=max(successes, default=None),
    )
