"""What a run may do to a file only while it has it: a run that was suspended past its lease has lost its claims.

Whoever took the file over has learnt of its newest version; what the suspended run knows is older. So it asks before
each effect, and its outcome is not entered over the other's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update

from onc_mirror.ledger.recording import outcome_rows, outcome_statement
from onc_mirror.ledger.rows import key_of
from onc_mirror.ledger.tables import files

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from onc_mirror.ledger.transactions import Transactions
    from onc_mirror.model import ArchiveFile, Outcome


class Claims:
    """The claims in a ledger, one by one. Thread-safe, and safe with other processes.

    Every method raises `LedgerUnavailableError` when the database cannot be used.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def keep(self, file: ArchiveFile, *, owner: str, until: datetime) -> bool:
        """Prolong the claim on a file, and say whether it is still the owner's: a lease that is over may be."""
        with self._database.writing() as connection:
            return _keep(connection, file, owner, lease_until=until)

    def record(self, outcome: Outcome, *, run_id: str, now: datetime) -> bool:
        """Enter what became of a file that the run has claimed, as `Ledger.record_many` does.

        Returns:
            False, and nothing is entered, when the claim is not the run's any more.
        """
        with self._database.writing() as connection:
            if not _keep(connection, outcome.file, run_id, lease_owner=run_id):
                return False
            for (state, grounds), rows in outcome_rows((outcome,), run_id=run_id, now=now).items():
                connection.execute(outcome_statement(self._database.dialect, state, grounds), rows)
        return True


def _keep(connection: Connection, file: ArchiveFile, owner: str, **values: object) -> bool:
    """Write to the row, so that nobody else does before the transaction ends, if it is the owner's."""
    device_code, filename = key_of(file.device_code, file.filename)
    mine = (files.c.device_code == device_code, files.c.filename == filename, files.c.lease_owner == owner)
    return bool(connection.execute(update(files).where(*mine).values(**values)).rowcount)
