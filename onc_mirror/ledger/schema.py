"""Which schema a database has, asked with one cheap SELECT, so that opening a ledger that is up to date is quick."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, String, Table, select
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEAD = "0008"
"""The newest revision under `migrations`; a test holds the two together."""

# Alembic's own table.
_alembic_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))

_UNDEFINED_TABLE = "42P01"


def schema_version(connection: Connection) -> str | None:
    """Return the revision of the database, None when it has none yet. A transaction it fails in is spent."""
    try:
        return connection.execute(select(_alembic_version.c.version_num)).scalar_one_or_none()
    except DBAPIError as error:
        # SQLite has no code of its own for a missing table; its plain error is that or a fault in our SQL.
        unknown = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
        if unknown or getattr(error.orig, "sqlstate", None) == _UNDEFINED_TABLE:
            return None
        raise
