"""What is wrong and who was told of it, and what the ledger knows that may be wrong.

An alert is one thing that is wrong: a cause, and what it is about. It is entered before anybody is told, and whom it
was told to is entered after: killed at any instant, the mirror tells it again rather than never. The report of each
run is weighed once, and that is entered together with what came of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, or_, select, update

from onc_mirror.ledger.rows import clean_text, exact_names, key_of
from onc_mirror.ledger.tables import alerts, devices, files, runs, tellings
from onc_mirror.ledger.upserting import insert_into
from onc_mirror.model import State
from onc_mirror.wording import MOST_NAMES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Table

    from onc_mirror.ledger.transactions import Transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing that is wrong, or was until just now.

    Attributes:
        cause: Fixed slug.
        subject: The device or flow that it is about; empty: the whole mirror.
        since: When it began, UTC.
        opened_at: Since when it is an alert, UTC; None while it is not yet sure.
        ended_at: When it was over, UTC; None while it is not.
        count: How many files or runs it is about.
        latest: When the last of them came, UTC.
        detail: What is the matter, for people.
        run_id: The run that saw it last.
        link: Where that run can be looked at, or empty.
    """

    cause: str
    subject: str
    since: datetime
    opened_at: datetime | None
    ended_at: datetime | None = None
    count: int
    latest: datetime
    detail: str
    run_id: str
    link: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Cause and subject; there is one alert of each."""
        return self.cause, self.subject

    @property
    def is_open(self) -> bool:
        """Whether it is an alert, and not over."""
        return self.opened_at is not None and self.ended_at is None


@dataclass(frozen=True, slots=True)
class Telling:
    """What a receiver was told last of an alert.

    Attributes:
        cause: That of the alert.
        subject: That of the alert.
        receiver: Who, by a name that is no secret.
        told_at: When, UTC.
        count: How many files or runs it was about then.
        latest: When the last of them had come.
    """

    cause: str
    subject: str
    receiver: str
    told_at: datetime
    count: int
    latest: datetime

    @property
    def key(self) -> tuple[str, str]:
        """That of the alert."""
        return self.cause, self.subject


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run whose report nobody has weighed yet.

    Attributes:
        run_id: The run.
        flow: What ran.
        started_at: When it began, UTC.
        link: Where it can be looked at, or empty.
        report: Its report as JSON; None: it was killed.
    """

    run_id: str
    flow: str
    started_at: datetime
    link: str
    report: str | None


@dataclass(frozen=True, slots=True)
class Pile:
    """Files of one device that share a trouble.

    Attributes:
        count: How many.
        left: How many of them still have it.
        since: When the first got it, UTC.
        latest: When the last did.
        names: The last few, the last first.
    """

    count: int
    left: int
    since: datetime
    latest: datetime
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """How far a device is listed, and what came last.

    Attributes:
        watermark: Archive time up to which all its rows are known, UTC.
        newest: When the archive took in its last file, UTC; None when it never had one.
    """

    watermark: datetime
    newest: datetime | None


class Alerts:
    """The alerts in a ledger. Thread-safe; who changes them must see to it that nobody else does so meanwhile.

    Every method may be repeated, and raises `LedgerUnavailableError` when the database cannot be used.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def read(self) -> tuple[Alert, ...]:
        """Return all alerts, with those that are not sure yet and those of whose end somebody is still to be told."""
        with self._database.reading() as connection:
            rows = connection.execute(select(alerts).order_by(alerts.c.since, alerts.c.cause, alerts.c.subject))
            return tuple(Alert(**row._mapping) for row in rows)  # noqa: SLF001 - SQLAlchemy's public name

    def tellings(self) -> tuple[Telling, ...]:
        """Return who was told what."""
        with self._database.reading() as connection:
            return tuple(Telling(*row) for row in connection.execute(select(*(tellings.c[n] for n in _TELLING))))

    def unweighed(self, now: datetime) -> tuple[EndedRun, ...]:
        """Return the runs that are over, and whose report has not been weighed yet, the oldest first."""
        over = or_(runs.c.finished_at.is_not(None), runs.c.alive_until < now)
        columns = (runs.c.run_id, runs.c.flow, runs.c.started_at, func.coalesce(runs.c.link, ""), runs.c.report)
        query = select(*columns).where(runs.c.weighed_at.is_(None), over).order_by(runs.c.started_at, runs.c.run_id)
        with self._database.reading() as connection:
            return tuple(EndedRun(*row) for row in connection.execute(query))

    def settle(self, changed: Iterable[Alert], weighed: Collection[str], now: datetime) -> None:
        """Enter alerts as they are now, and that these runs were weighed: all of it or nothing."""
        rows = [_alert_row(one) for one in sorted(changed, key=lambda one: one.key)]
        with self._database.writing() as connection:
            _upsert(connection, self._database.dialect, alerts, ("cause", "subject"), rows)
            connection.execute(update(runs).where(runs.c.run_id.in_(weighed)).values(weighed_at=now))

    def note_told(self, told: Iterable[Telling]) -> None:
        """Note what receivers were told."""
        rows = [{name: getattr(one, name) for name in _TELLING} for one in told]
        with self._database.writing() as connection:
            _upsert(connection, self._database.dialect, tellings, _TELLING[:3], rows)

    def forget(self, told: Iterable[Telling], over: Iterable[Alert]) -> None:
        """Forget what receivers were told of what is over, and alerts that are over, as nobody is to be told more."""
        with self._database.writing() as connection:
            for one in told:
                connection.execute(delete(tellings).where(*_is(tellings, one), tellings.c.receiver == one.receiver))
            for alert in over:
                for table in (tellings, alerts):
                    connection.execute(delete(table).where(*_is(table, alert)))

    def quarantined(self) -> Mapping[str, Pile]:
        """Return the quarantined files of each device that has some."""
        return self._piles(files.c.state == State.QUARANTINED, files.c.state_since, None)

    def damaged(self, since: datetime | None) -> Mapping[str, Pile]:
        """Return the files of each device whose object is missing or damaged, or was found so since a moment."""
        recent: ColumnElement[bool] = files.c.damage_found_at.is_not(None)
        if since is not None:
            recent = or_(files.c.damage_found_at >= since, and_(recent, files.c.damaged_at.is_not(None)))
        return self._piles(recent, files.c.damage_found_at, files.c.damaged_at)

    def last_check(self, flows: Collection[str]) -> datetime | None:
        """Return when the run of these flows that ended last had begun, None when there was none."""
        ended = select(runs.c.started_at).where(runs.c.flow.in_(flows), runs.c.finished_at.is_not(None))
        with self._database.reading() as connection:
            last: datetime | None = connection.execute(
                ended.order_by(runs.c.finished_at.desc()).limit(1)
            ).scalar_one_or_none()
        return last

    def arrivals(self, since: datetime) -> Mapping[str, Arrival]:
        """Return every device whose watermark is not older than a moment."""
        query = select(devices.c.device_code, devices.c.watermark).where(devices.c.watermark >= since)
        with self._database.reading() as connection:
            marks = connection.execute(query.order_by(devices.c.device_code)).all()
            return {row.device_code: Arrival(row.watermark, _newest(connection, row.device_code)) for row in marks}

    def _piles(
        self, which: ColumnElement[bool], when: ColumnElement[datetime], left: ColumnElement[Any] | None
    ) -> Mapping[str, Pile]:
        code = files.c.device_code
        counted = (func.count().label("count"), func.count(left).label("left") if left is not None else func.count())
        query = select(code, *counted, func.min(when), func.max(when)).where(which).group_by(code).order_by(code)
        with self._database.reading() as connection:
            return {
                device: Pile(count, still, first, last, _names(connection, and_(which, code == device), when))
                for device, count, still, first, last in connection.execute(query).all()
            }


_TELLING = ("cause", "subject", "receiver", "told_at", "count", "latest")


def _names(connection: Connection, which: ColumnElement[bool], when: ColumnElement[Any]) -> tuple[str, ...]:
    query = select(files.c.device_code, files.c.filename, files.c.exact_name).where(which)
    last = query.order_by(when.desc(), files.c.filename).limit(MOST_NAMES)
    return tuple(exact_names(*row)[1] for row in connection.execute(last))


def _newest(connection: Connection, device_code: str) -> datetime | None:
    query = select(func.max(files.c.archived_at)).where(files.c.device_code == key_of(device_code, "")[0])
    newest: datetime | None = connection.execute(query).scalar_one()
    return newest


def _alert_row(one: Alert) -> dict[str, Any]:
    row = {column.name: getattr(one, column.name) for column in alerts.c}
    # A device in a list of files may be called anything; one that no database takes would end all alerts.
    return row | {name: clean_text(row[name]) for name in ("subject", "detail")}


def _is(table: Table, one: Alert | Telling) -> tuple[ColumnElement[bool], ...]:
    return table.c.cause == one.cause, table.c.subject == one.subject


def _upsert(
    connection: Connection, dialect: str, table: Table, key: Sequence[str], rows: Sequence[dict[str, Any]]
) -> None:
    if not rows:
        return
    insert = insert_into(table, dialect)
    changes = {column.name: insert.excluded[column.name] for column in table.c if column.name not in key}
    connection.execute(insert.on_conflict_do_update(index_elements=list(key), set_=changes), list(rows))
