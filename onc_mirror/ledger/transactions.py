"""Transactions on the ledger's database, for whatever part of the ledger needs one."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from onc_mirror.ledger.troubles import named_troubles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Engine, Insert

# A transaction keeps other writers waiting, so a listing of a hundred thousand rows is several.
_ROWS_AT_ONCE = 5000


class Transactions:
    """Reading and writing, each committed as a whole or not at all. Thread-safe.

    Every method raises `LedgerUnavailableError` when the database is locked, full, read-only or out of reach.

    Attributes:
        dialect: `sqlite` or `postgresql`.
        place: Where the database is, without secrets.
    """

    def __init__(self, engine: Engine, place: str) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self.place = place
        self.dialect = engine.dialect.name
        # SQLite has one writer. Threads that queue here take turns; on the file's lock they would poll it.
        self._turn: AbstractContextManager[Any] = threading.Lock() if self.dialect == "sqlite" else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database."""
        with named_troubles(self.place), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are committed at the end of the block, or none of them."""
        with self._turn, named_troubles(self.place), self._writer.begin() as connection:
            yield connection

    def execute_all(self, statement: Insert, rows: Sequence[dict[str, Any]]) -> None:
        """Run `statement` for every row, in as many transactions as it takes."""
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            with self.writing() as connection:
                connection.execute(statement, rows[start : start + _ROWS_AT_ONCE])

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
