"""The ledger, or the disk under it, goes away in the middle of a run: one clear line, and the next run goes on."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from tests.support.console import Answer
from tests.support.disks import small_disk
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.archive import RunningArchive
    from tests.support.console import Console
    from tests.support.postgresql import PostgresqlServer

DEVICE = "TUMPMTSPECTROMETER001"
FIVE_FILES = ("mirror", "-d", DEVICE, "--since", "2022-05-02T11:00", "--until", "PT1H", "--json")


def run_through(
    console: Console, archive: RunningArchive, outage: Callable[[], AbstractContextManager[object]], **variables: str
) -> Answer:
    """Mirror an hour, with an outage from the first download to the end of the run."""
    archive.fault(Kind.LATENCY, endpoint="download", seconds=0.5)
    with console.start(*FIVE_FILES, variables=variables) as process:
        wait_until(lambda: bool(archive.requests_for("download")) or process.poll() is not None)
        with outage():
            out, err = process.communicate(timeout=60)
    archive.faults.clear()
    return console.checked(Answer(process.returncode, out, err))


def assert_recovered(console: Console, archive: RunningArchive, **variables: str) -> None:
    """The next run brings every file to its end, once and unharmed, and leaves nothing in scratch."""
    following = console.run(*FIVE_FILES, **variables)

    assert (following.code, following.err) == (0, "")
    assert following.json["already"] + following.json["mirrored"] == 5
    stored = {path.name: path for path in (console.folder / "bucket" / "raw").rglob("*.hdf5")}
    assert len(stored) == len(console.mirrored) == 5
    for name, path in stored.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == archive.true_sha256(name)
    assert console.scratch == []


def test_a_ledger_that_another_process_locks_breaks_the_run_off(console: Console, archive: RunningArchive) -> None:
    ledger = console.state / "ledger.db"
    url = f"sqlite:///{ledger}?timeout=0.2"

    @contextmanager
    def locked() -> Iterator[None]:
        with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    broken = run_through(console, archive, locked, ONC_MIRROR_LEDGER_URL=url)

    assert broken.code == 1
    assert broken.json["error"]["reason"] == "ledger-unavailable"
    assert f"The ledger {ledger} is locked by another process; wait until it is done" in broken.err
    assert_recovered(console, archive)


def test_a_ledger_whose_server_is_gone_breaks_the_run_off(
    console: Console, archive: RunningArchive, postgresql: PostgresqlServer
) -> None:
    url = postgresql.url(postgresql.create_database())

    broken = run_through(console, archive, postgresql.gone, ONC_MIRROR_LEDGER_URL=url)

    assert broken.code == 1
    assert broken.json["error"]["reason"] == "ledger-unavailable"
    assert "cannot be reached; check that the server is up" in broken.err
    assert_recovered(console, archive, ONC_MIRROR_LEDGER_URL=url)


def test_a_ledger_on_a_full_disk_breaks_the_run_off(console: Console, archive: RunningArchive) -> None:
    with small_disk(console.state, "4m") as disk:
        filler = disk / "filler"

        @contextmanager
        def full() -> Iterator[None]:
            with pytest.raises(OSError, match="No space left"):
                filler.write_bytes(b"x" * 2**23)
            yield
            filler.unlink()

        broken = run_through(console, archive, full, ONC_MIRROR_SCRATCH_DIR=str(console.folder / "scratch"))

        assert broken.code == 1
        assert broken.json["error"]["reason"] == "ledger-unavailable"
        assert f"The ledger {disk / 'ledger.db'} has no room to grow; free space on its disk." in broken.err
        assert_recovered(console, archive)
