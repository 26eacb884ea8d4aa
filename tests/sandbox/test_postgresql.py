"""The PostgreSQL of the tests: quick to ask for, and nothing of it is left, however its owner ends."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize(
    ("asked", "outcome"),
    [("", "1 skipped"), ("sqlite,postgresql", "1 error")],
    ids=["not-asked-for", "asked-for"],
)
def test_where_it_is_not_installed_tests_are_skipped_unless_they_were_asked_for(
    tmp_path: Path, asked: str, outcome: str
) -> None:
    one_test = "tests/domain/test_ledger.py::test_a_new_file_is_listed"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", one_test]
    environment = {
        **os.environ,
        "PATH": "/usr/bin:/bin",
        "POSTGRESQL_DIR": str(tmp_path),
        "ONC_MIRROR_TEST_LEDGERS": asked,
    }

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert f"1 passed, {outcome}" in done.stdout
    assert "postgresql.sh: PostgreSQL is not installed; run: " in done.stdout


def run(server: PostgresqlServer, database: str, statement: str) -> None:
    engine = create_engine(server.url(database))
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()
