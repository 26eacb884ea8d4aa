"""PostgreSQL for tests: a server that vanishes with who asked for it, and a fresh database for every test."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, NullPool, create_engine, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROOT = Path(__file__).parents[2]
_SCRIPT = _ROOT / "infra" / "sandbox" / "postgresql.sh"
_CALL_TIMEOUT_S = 120


@dataclass(frozen=True)
class PostgresqlServer:
    """A running server.

    Attributes:
        folder: Its data, its log and its port.
        port: Where it listens on the loopback address.
    """

    folder: Path
    port: int

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database, as `ONC_MIRROR_LEDGER_URL` takes it."""
        return f"postgresql+psycopg://onc@127.0.0.1:{self.port}/{database}"

    def create_database(self, template: str = "template0") -> str:
        """Create a database, empty or a copy of one that nobody is connected to, and return its name."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database under whoever is still connected to it."""
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def empty(self, database: str, tables: Sequence[str]) -> None:
        """Delete all rows of some tables, under whoever is still connected to the database."""
        self._execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")  # noqa: S608 - our own name
        engine = create_engine(self.url(database), poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {', '.join(tables)}"))

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Take the server away from its clients, without warning, and bring it back with what was committed."""
        self._engine.dispose()
        _call("stop", str(self.folder))
        try:
            yield
        finally:
            _call("start", str(self.folder))

    def close(self) -> None:
        self._engine.dispose()

    @cached_property
    def _engine(self) -> Engine:
        return create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")

    def _execute(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(statement))


def missing_postgresql() -> str | None:
    """Say why there can be no server here, None when there can."""
    found = subprocess.run(["bash", str(_SCRIPT), "find"], capture_output=True, text=True, check=False)  # noqa: S607 - found on the PATH
    return found.stderr.strip() if found.returncode else None


@contextmanager
def running_postgresql() -> Iterator[PostgresqlServer]:
    """Run a server; it and its folder are gone afterwards, even when this process is killed."""
    # Not pytest's folder: that is closed to other users, and as root the server is one.
    folder = Path(tempfile.gettempdir()) / f"onc-mirror-postgresql-{uuid.uuid4().hex[:12]}"
    guard = [sys.executable, "-m", "infra.sandbox.guard", str(os.getpid())]
    command = [*guard, "bash", str(_SCRIPT), "run", str(folder)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said:
                raise RuntimeError("PostgreSQL does not start; see above.")
            server = PostgresqlServer(folder, int(said))
            yield server
            server.close()
        finally:
            process.terminate()


def _call(*arguments: str) -> None:
    subprocess.run(["bash", str(_SCRIPT), *arguments], check=True, timeout=_CALL_TIMEOUT_S)  # noqa: S607 - found on the PATH
