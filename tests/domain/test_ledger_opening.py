"""Creating, migrating and refusing ledgers, and what their failures say."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from onc_mirror.errors import LedgerTooNewError, LedgerUnavailableError, MirrorError, SettingsError
from onc_mirror.ledger import open_ledger
from onc_mirror.ledger.schema import HEAD
from onc_mirror.ledger.tables import metadata
from onc_mirror.ledger.troubles import named_troubles
from tests.support.archive_files import DEVICE, archive_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.support.postgresql import PostgresqlServer

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    open_ledger(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def connection(new_ledger_url: str) -> Iterator[Connection]:
    """A plain connection to a ledger that was opened once."""
    open_ledger(new_ledger_url).close()
    engine = create_engine(new_ledger_url)
    with engine.connect() as plain:
        yield plain
    engine.dispose()


def test_the_migrations_make_the_tables_that_the_code_uses(connection: Connection) -> None:
    context = MigrationContext.configure(connection)

    assert metadata.tables
    assert context.get_current_revision() == HEAD
    assert compare_metadata(context, metadata) == []


def test_the_extension_of_files_that_an_older_version_listed_is_filled_in(
    new_ledger_url: str, connection: Connection
) -> None:
    names = {f"a{number}.TXT": "txt" for number in range(6000)} | {"b": "", "c.tar.gz": "gz"}
    with open_ledger(new_ledger_url) as ledger:
        ledger.start_run("r", "mirror-hour", NOON)
        ledger.record_listed([archive_file(filename=name) for name in names], run_id="r", now=NOON)
    for table in ("alerts", "tellings", "counters"):
        connection.execute(text(f"DROP TABLE {table}"))
    for table, column, index in (
        ("runs", "link", None),
        ("runs", "weighed_at", "runs_by_weighing"),
        ("files", "damage_found_at", "files_by_damage"),
    ):
        if index is not None:
            connection.execute(text(f"DROP INDEX {index}"))
        connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
    connection.execute(text("DROP INDEX runs_by_end"))
    connection.execute(text("ALTER TABLE runs DROP COLUMN process"))
    connection.execute(text("DROP INDEX files_by_mirroring"))
    connection.execute(text("ALTER TABLE files DROP COLUMN damaged_at"))
    connection.execute(text("DROP INDEX files_by_state"))
    connection.execute(text("ALTER TABLE files DROP COLUMN extension"))
    connection.execute(text("CREATE INDEX files_by_state ON files (device_code, state)"))
    connection.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    connection.commit()

    open_ledger(new_ledger_url).close()

    found = connection.execute(text("SELECT filename, extension FROM files"))
    assert {row.filename: row.extension for row in found} == names


def test_a_ledger_of_a_newer_version_is_refused_by_name(new_ledger_url: str, connection: Connection) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    connection.commit()

    with pytest.raises(LedgerTooNewError, match=r"newer version of onc-mirror \(schema 9999\)"):
        open_ledger(new_ledger_url)


def test_sqlite_survives_a_kill_and_checks_references(sqlite_path: Path) -> None:
    with sqlite3.connect(sqlite_path) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    plain.close()


def test_processes_that_open_a_fresh_ledger_at_once_all_succeed(new_ledger_url: str) -> None:
    program = (
        "import sys, alembic.command; from onc_mirror.ledger import open_ledger\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "with open_ledger(sys.argv[1]) as ledger: print(ledger.watermark('X'))"
    )
    command = [sys.executable, "-c", program, new_ledger_url]
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
            )
            for _ in range(3)
        ]
        assert [process.stdout.readline() for process in started if process.stdout] == ["ready\n"] * 3
        for process in started:
            assert process.stdin
            process.stdin.write("go\n")

        assert [process.communicate(timeout=120)[0] for process in started] == ["None\n"] * 3


def test_opening_a_ledger_that_is_up_to_date_imports_neither_alembic_nor_pandas(sqlite_path: Path) -> None:
    program = (
        "import sys; from onc_mirror.ledger import open_ledger; open_ledger(sys.argv[1]).close(); "
        "print([name for name in ('alembic', 'pandas', 'psycopg') if name in sys.modules])"
    )

    command = [sys.executable, "-c", program, f"sqlite:///{sqlite_path}"]

    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_what_was_recorded_survives_kill_9(tmp_path: Path) -> None:
    program = (
        "import sys, datetime; from onc_mirror.ledger import open_ledger\n"
        "ledger, hour = open_ledger(sys.argv[1]), 0\n"
        "while True:\n"
        "    until = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(hours=hour)\n"
        "    ledger.advance_watermark('TUMLIDAR001', until, until); print(until.isoformat(), flush=True); hour += 1\n"
    )
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    command = [sys.executable, "-c", program, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for _ in range(50):
            said = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        said = (process.stdout.read().splitlines() or [said])[-1]

    with open_ledger(url) as ledger:
        found = ledger.watermark(DEVICE)
    assert found
    assert found >= datetime.fromisoformat(said.strip())


def test_a_ledger_locked_by_another_process_says_so(sqlite_path: Path) -> None:
    with open_ledger(f"sqlite:///{sqlite_path}?timeout=0.1") as ledger:
        other = sqlite3.connect(sqlite_path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailableError, match="is locked by another process") as raised:
            ledger.start_run("r", "mirror-hour", NOON)
        other.execute("COMMIT")
        other.close()

        ledger.start_run("r", "mirror-hour", NOON)
    assert str(sqlite_path) in str(raised.value)
    assert len(ledger_runs(sqlite_path)) == 1


def ledger_runs(path: Path) -> tuple[object, ...]:
    with open_ledger(f"sqlite:///{path}") as ledger:
        return ledger.runs()


def test_a_ledger_that_cannot_be_written_says_so(sqlite_path: Path) -> None:
    with (
        open_ledger(f"sqlite:///file:{sqlite_path}?mode=ro&uri=true") as ledger,
        pytest.raises(LedgerUnavailableError, match="cannot be written; check the rights"),
    ):
        ledger.start_run("r", "mirror-hour", NOON)


def test_a_full_disk_says_so(sqlite_path: Path) -> None:
    engine = create_engine(f"sqlite:///{sqlite_path}")

    with engine.connect() as plain:
        plain.execute(text("PRAGMA max_page_count = 1"))
        with pytest.raises(LedgerUnavailableError, match="no room to grow"), named_troubles("ledger.db"):
            plain.execute(text("CREATE TABLE more AS SELECT zeroblob(1000000)"))
    engine.dispose()


def test_a_file_that_is_no_ledger_says_so(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and longer than its header would be" * 20)

    with pytest.raises(LedgerUnavailableError, match="is not an SQLite file"):
        open_ledger(f"sqlite:///{path}")


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="ONC_MIRROR_LEDGER_URL: the folder of the ledger"):
        open_ledger(f"sqlite:///{tmp_path / 'file' / 'ledger.db'}")


def test_a_server_that_vanishes_and_a_lock_that_stays_are_not_waited_for_without_end(
    postgresql: PostgresqlServer,
) -> None:
    database = postgresql.create_database()
    # Nothing else shows what the driver is asked for.
    with open_ledger(postgresql.url(database)) as ledger, ledger._database.reading() as connection:  # noqa: SLF001 - see above
        (lock,) = connection.execute(text("SHOW lock_timeout")).one()
        with socket.socket(fileno=os.dup(connection.connection.fileno())) as wire:
            options = (socket.TCP_KEEPIDLE, socket.TCP_USER_TIMEOUT)
            seen = [wire.getsockopt(socket.IPPROTO_TCP, option) for option in options]
    postgresql.drop_database(database)

    assert (lock, seen) == ("5min", [60, 120_000])


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid"])
def test_a_server_out_of_reach_is_named_without_the_password(host: str) -> None:
    with pytest.raises(LedgerUnavailableError, match="cannot be reached") as raised:
        open_ledger(f"postgresql://onc:canary-secret@{host}/mirror")

    assert f"{host}/mirror" in str(raised.value)
    assert "canary-secret" not in repr(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    "url",
    [
        "ledger.db",
        "mysql://onc:canary-secret@host/mirror",
        "sqlite://",
        "sqlite:///:memory:",
        "canary-secret@host",
        "postgresql://onc:canary-secret@host:notaport/mirror",
        "postgresql://onc:canary-secret@[::1/mirror",
        "sqlite:////nowhere/ledger.db?timeout=canary-secret",
    ],
)
def test_a_url_that_names_no_ledger_is_a_setting_to_correct(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^ONC_MIRROR_LEDGER_URL: ") as raised:
        open_ledger(url)

    assert "canary-secret" not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_file_for_a_run_that_never_began_is_a_fault_and_not_an_outage(ledger_url: str) -> None:
    with open_ledger(ledger_url) as ledger, pytest.raises(Exception, match=r"(?i)foreign key") as raised:
        ledger.record_listed([archive_file()], run_id="never", now=NOON)

    assert not isinstance(raised.value, MirrorError)
    assert not isinstance(raised.value, OperationalError)
