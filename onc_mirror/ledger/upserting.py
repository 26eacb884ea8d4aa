"""INSERT ... ON CONFLICT in the words of the ledger's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.dialects import postgresql


def insert_into(table: Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that can say what to do about rows that are there.

    Args:
        table: Where to.
        dialect: `sqlite` or `postgresql`.
    """
    if dialect != "postgresql":
        return sqlite.insert(table)
    # With asyncpg's adapter and all, a sixth of what SQLAlchemy takes to import; most ledgers are on SQLite.
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - see above

    return postgresql.insert(table)
