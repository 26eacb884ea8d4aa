"""The PostgreSQL of the tests: quick to ask for, and nothing of it is left, however its owner ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from onc_mirror.ledger import open_ledger
from tests.support import ledgers
from tests.support.ledgers import require_postgresql
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.postgresql import PostgresqlServer

ROOT = Path(__file__).resolve().parents[2]

# Whoever runs the tests may have switched SIGINT off, as a shell does for what runs in its background.
OWNER = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from tests.support.postgresql import running_postgresql
with running_postgresql() as server:
    print(server.folder, flush=True)
    input()
"""


def test_every_test_has_a_database_of_its_own_or_a_copy(postgresql: PostgresqlServer) -> None:
    first, second = postgresql.create_database(), postgresql.create_database()
    run(postgresql, first, "CREATE TABLE things (number integer)")

    copy = postgresql.create_database(first)

    run(postgresql, copy, "INSERT INTO things VALUES (1)")
    run(postgresql, second, "CREATE TABLE things (number integer)")
    for database in (first, second, copy):
        postgresql.drop_database(database)


def test_a_server_that_was_gone_has_what_was_committed(postgresql: PostgresqlServer) -> None:
    database = postgresql.create_database()
    open_ledger(postgresql.url(database)).close()

    with postgresql.gone(), pytest.raises(OperationalError, match="refused"):
        run(postgresql, database, "SELECT 1")

    run(postgresql, database, "SELECT version_num FROM alembic_version")
    postgresql.drop_database(database)


@pytest.mark.usefixtures("postgresql")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["INT", "TERM", "KILL"])
def test_nothing_is_left_of_a_server_whose_owner_was_stopped(number: signal.Signals) -> None:
    command = [sys.executable, "-c", OWNER]
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe, stderr=null) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        family = psutil.Process(owner.pid).children(recursive=True)
        assert "postgres" in {process.name() for process in family}

        owner.send_signal(number)

        wait_until(lambda: not folder.exists() and not any(process.is_running() for process in family))


@pytest.mark.parametrize(("asked", "outcome"), [(None, "Skipped"), ("sqlite,postgresql", "Failed")])
def test_where_it_is_not_installed_tests_are_skipped_unless_they_were_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str | None, outcome: str
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("POSTGRESQL_DIR", str(tmp_path))
    monkeypatch.setattr(ledgers, "_ASKED", asked)

    # What pytest raises for both is no Exception.
    with pytest.raises(BaseException, match=r"postgresql\.sh: PostgreSQL is not installed; run: ") as end:
        require_postgresql()

    assert end.typename == outcome


def run(server: PostgresqlServer, database: str, statement: str) -> None:
    engine = create_engine(server.url(database))
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()
