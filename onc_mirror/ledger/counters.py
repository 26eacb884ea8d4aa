"""What runs have counted since the ledger began: for metrics, which must go on over processes that come and go.

No decision hangs on these numbers. A run that is killed takes what it has not handed over yet with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import case, select

from onc_mirror.ledger.rows import key_of
from onc_mirror.ledger.tables import counters
from onc_mirror.ledger.upserting import insert_into

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onc_mirror.ledger.transactions import Transactions


class Series(NamedTuple):
    """What is counted.

    Attributes:
        name: Such as `files`.
        device_code: Of which device; empty when of none.
        kind: Such as an outcome, a stage or a cause; empty when there are none.
    """

    name: str
    device_code: str = ""
    kind: str = ""


class Counters:
    """The counters in a ledger. Thread-safe, and safe with other processes.

    Every method raises `LedgerUnavailableError` when the database cannot be used.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def add(self, counts: Mapping[Series, float]) -> None:
        """Add to counters."""
        self._write(counts, lambda new: counters.c.value + new.value)

    def raise_to(self, marks: Mapping[Series, float]) -> None:
        """Set counters that are lower than these to these."""
        self._write(marks, lambda new: case((new.value > counters.c.value, new.value), else_=counters.c.value))

    def read(self) -> dict[Series, float]:
        """Return all counters."""
        with self._database.reading() as connection:
            rows = connection.execute(select(counters))
            return {Series(row.name, row.device_code, row.kind): row.value for row in rows}

    def _write(self, values: Mapping[Series, float], changed: Any) -> None:
        insert = insert_into(counters, self._database.dialect)
        statement = insert.on_conflict_do_update(
            index_elements=("name", "device_code", "kind"), set_={"value": changed(insert.excluded)}
        )
        # In the order of their key, so that two writers wait for each other and do not deadlock.
        rows = [
            {"name": one.name, "device_code": key_of(one.device_code, "")[0], "kind": one.kind, "value": value}
            for one, value in sorted(values.items())
        ]
        self._database.execute_all(statement, rows)
