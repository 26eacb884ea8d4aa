"""Opening a ledger: the engine with the settings that make it safe to kill, and its schema up to date.

SQLite runs in WAL mode with `synchronous=NORMAL`: a commit survives `kill -9` at any instant, because it is in the
operating system's hands by then. A power cut can take back the last commits, never a part of one and never an
earlier one without the later; the ledger is then a little older than the bucket, which the next run mends. An fsync
per commit (`FULL`) would only buy what the bucket holds anyway.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from onc_mirror.errors import SettingsError
from onc_mirror.ledger.ledger import Ledger
from onc_mirror.ledger.schema import HEAD, schema_version
from onc_mirror.ledger.troubles import named_troubles, place_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

NOTHING_RAN = "nothing has run yet. If something has, it had another ONC_MIRROR_STATE_DIR or ONC_MIRROR_LEDGER_URL."

_VARIABLE = "ONC_MIRROR_LEDGER_URL"
_BUSY_TIMEOUT_S = 60
# A server or a client whose machine or network vanishes without a word is noticed by the other within minutes, and a
# lock that somebody holds is not waited for without end: a run that hangs keeps all others from running.
_TO_SERVER = {
    "connect_timeout": 10,
    "keepalives_idle": 60,
    "keepalives_interval": 15,
    "keepalives_count": 4,
    "tcp_user_timeout": 120_000,
}
_OF_SESSION = {
    # Spares psycopg the look-up of the server's zone, too, which small containers do not know.
    "timezone": "UTC",
    "lock_timeout": "300s",
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "15",
    "tcp_keepalives_count": "4",
}
_CONNECTIONS = 8
"""Per process; statements are short, so more threads than this take turns."""


class NoLedgerError(SettingsError):
    """There is no ledger yet, for who wants to look into it and not to create it.

    Attributes:
        place: Where it should be.
    """

    def __init__(self, place: str) -> None:
        super().__init__(f"There is no ledger at {place}: {NOTHING_RAN}")
        self.place = place


def open_ledger(url: str, *, variable: str = _VARIABLE, create: bool = True) -> Ledger:
    """Open the ledger at a SQLAlchemy URL; create or migrate it when it is not of this version.

    Args:
        url: `sqlite:///path` or `postgresql://user:password@host/database`. SQLite waits a minute for a lock of
            another process; `?timeout=seconds` says otherwise.
        variable: The setting that says so, to name it when the ledger's folder cannot be one.
        create: Whether to make a file of SQLite's that is not there; a database of a server always counts as there.

    Raises:
        SettingsError: The URL is none, or of another database, or its folder cannot be made.
        NoLedgerError: It is not there, and not to be created.
        LedgerUnavailableError: It cannot be opened; says why and what to do, without user and password.
        LedgerTooNewError: A newer version of the mirror wrote it.
    """
    parsed = _parse(url)
    place = place_of(parsed)
    if not create:
        _look_for(parsed, place, variable)
    _make_folder(parsed, place, variable)
    with named_troubles(place):
        engine = _engine(parsed)
        try:
            _bring_up_to_date(engine, place)
        except BaseException:
            engine.dispose()
            raise
    return Ledger(engine, place)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is no number
        # Not quoted: it may hold a password.
        raise SettingsError(
            "ONC_MIRROR_LEDGER_URL: is not a URL such as sqlite:////folder/ledger.db "
            "or postgresql://user:password@host:5432/database"
        ) from None
    backend = "postgresql" if parsed.drivername == "postgres" else parsed.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise SettingsError("ONC_MIRROR_LEDGER_URL: must begin with sqlite:/// or postgresql://")
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.database in {None, "", ":memory:"} or parsed.query.get("mode") == "memory":
        raise SettingsError(
            "ONC_MIRROR_LEDGER_URL: a ledger in memory forgets; name a file, sqlite:////folder/ledger.db"
        )
    if not re.fullmatch(r"\d{1,6}(\.\d+)?", str(parsed.query.get("timeout", _BUSY_TIMEOUT_S)), re.ASCII):
        raise SettingsError("ONC_MIRROR_LEDGER_URL: timeout must be a number of seconds, such as ?timeout=60")
    return parsed.set(drivername="sqlite")


def _is_path(url: URL, place: str) -> bool:
    """Whether the ledger is a file that we look after: no server's database, and no URI of SQLite's own."""
    return url.get_backend_name() == "sqlite" and not place.startswith("file:")


def _look_for(url: URL, place: str, variable: str) -> None:
    if not _is_path(url, place) or Path(place).exists():
        return
    for folder in Path(place).parents:
        if folder.exists() and not folder.is_dir():
            raise SettingsError(f"{variable}: {folder} is no folder; the ledger {place} cannot be there.")
    raise NoLedgerError(place)


def _make_folder(url: URL, place: str, variable: str) -> None:
    if not _is_path(url, place):
        return
    try:
        Path(place).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{variable}: the folder of the ledger {place} cannot be made ({error.strerror})."
        ) from None


def _engine(url: URL) -> Engine:
    pool: dict[str, Any] = {"pool_size": _CONNECTIONS, "max_overflow": 0, "pool_timeout": _BUSY_TIMEOUT_S}
    if url.get_backend_name() == "postgresql":
        arguments: dict[str, Any] = {name: value for name, value in _TO_SERVER.items() if name not in url.query}
        arguments |= {"options": " ".join(f"-c {name}={value}" for name, value in _OF_SESSION.items())}
        return create_engine(url, connect_args=arguments, pool_pre_ping=True, hide_parameters=True, **pool)
    patience = {} if "timeout" in url.query else {"timeout": _BUSY_TIMEOUT_S}
    engine = create_engine(url, connect_args=patience, hide_parameters=True, **pool)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own idea of when a transaction begins is switched off; `_begin_sqlite` says it.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once when another wrote in between, so writers
    # take the lock, and wait for it, before they read.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_up_to_date(engine: Engine, place: str) -> None:
    with engine.connect() as connection:
        if schema_version(connection) == HEAD:
            return
    from onc_mirror.ledger.migrating import migrate  # noqa: PLC0415 - only a ledger out of date pays for Alembic

    with engine.execution_options(writes=True).begin() as connection:
        migrate(connection, place)
