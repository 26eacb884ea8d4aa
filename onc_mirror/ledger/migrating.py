"""Creating and migrating a ledger's schema with the Alembic revisions of this package.

Imported only when a ledger is not up to date: Alembic takes longer to import than a ledger takes to open.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select

from onc_mirror.errors import LedgerTooNewError

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Any number that nothing else on the server takes as an advisory lock: "onc-mir" in ASCII.
_LOCK = 0x6F6E632D6D6972


def migrate(connection: Connection, place: str) -> None:
    """Bring the schema to this version, in the transaction that `connection` has begun.

    Of several processes that find a ledger out of date, one migrates and the others wait and find it done:
    SQLite's write lock, which the transaction holds, or an advisory lock on PostgreSQL sees to that.

    Raises:
        LedgerTooNewError: The schema is one that this version does not know.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise LedgerTooNewError(
            f"The ledger {place} was written by a newer version of onc-mirror (schema {current}); "
            "install that version, or point ONC_MIRROR_LEDGER_URL at another ledger."
        )
    command.upgrade(config, "head")
