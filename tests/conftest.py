from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from onc_mirror.ledger import open_ledger
from onc_mirror.ledger.tables import metadata
from tests.support.ledgers import LEDGERS, empty_sqlite_ledger, require_postgresql
from tests.support.postgresql import running_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.sandbox.up import Sandbox
    from tests.support.archive import RunningArchive
    from tests.support.postgresql import PostgresqlServer
    from tests.support.stores import Endpoint

TOKEN = "0c4na7y0-1234-4bcd-8e9f-a70c3n0c1100"

IN_THE_SANDBOX = ("tests/flows/", "tests/deployments/test_deploying.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each file on one worker; from the start all that needs the sandbox on one, so that there is one sandbox."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - only the process that hands out tests needs it

    class OneSandbox(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            return "sandbox" if nodeid.startswith(IN_THE_SANDBOX) else str(super()._split_scope(nodeid))

        def _assign_work_unit(self, node: Any) -> None:
            if "sandbox" in self.workqueue:
                self.workqueue.move_to_end("sandbox", last=False)
            super()._assign_work_unit(node)

    return OneSandbox(config, log)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Undo what a command run in this process says about logging."""
    loggers = [logging.getLogger(name) for name in ("onc_mirror", "onc_mirror.settings", "onc_mirror.devices")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (level, propagate) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.propagate = propagate


@pytest.fixture(scope="session")
def one_archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArchive]:
    # Here, as most folders need no archive, and aiohttp takes long to import.
    from infra.sandbox.archive.config import ArchiveConfig  # noqa: PLC0415 - see above
    from tests.support.archive import running_archive  # noqa: PLC0415 - see above

    with running_archive(tmp_path_factory.mktemp("archive-state"), ArchiveConfig(token=TOKEN)) as archive:
        yield archive


@pytest.fixture
def archive(one_archive: RunningArchive) -> RunningArchive:
    """A stand-in of the archive without faults, with the time of this machine; the same for all tests of a worker."""
    one_archive.faults.clear()
    one_archive.set_clock(None)
    one_archive.forget_requests()
    return one_archive


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """An OpenStack Swift; the same for all tests of a worker, each in a bucket of its own."""
    from tests.support.stores import running_swift  # noqa: PLC0415 - boto3 takes long to import

    with running_swift(tmp_path_factory.mktemp("swift")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A Ceph RADOS Gateway; the same for all tests of a worker, each in a bucket of its own."""
    from tests.support.stores import running_ceph  # noqa: PLC0415 - as for Swift

    with running_ceph(tmp_path_factory.mktemp("ceph")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Archive, S3, Prefect and its worker, with what `deployments/` declares; the same for all tests of a worker."""
    from infra.sandbox.options import SandboxOptions  # noqa: PLC0415 - few folders need it
    from infra.sandbox.up import running_sandbox  # noqa: PLC0415 - as above

    options = SandboxOptions(
        tmp_path_factory.mktemp("sandbox"), archive_port=0, s3_port=0, prefect_port=0, size="tiny"
    )
    with running_sandbox(options, print) as running:
        yield running


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server; the same for all tests of a worker. Skips the test where there is none."""
    require_postgresql()
    with running_postgresql() as server:
        yield server


@pytest.fixture(params=LEDGERS)
def new_ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a ledger that is not there yet, in each of the databases that the tests run on."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'state' / 'ledger.db'}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    database = server.create_database()
    yield server.url(database)
    server.drop_database(database)


@pytest.fixture(scope="session")
def postgresql_ledger(postgresql: PostgresqlServer) -> str:
    """The database of a ledger; the same for all tests of a worker, each of which finds it empty."""
    database = postgresql.create_database()
    open_ledger(postgresql.url(database)).close()
    return database


@pytest.fixture(params=LEDGERS)
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty ledger, in each of the databases that the tests run on."""
    if request.param == "sqlite":
        path = tmp_path / "state" / "ledger.db"
        path.parent.mkdir()
        path.write_bytes(empty_sqlite_ledger())
        return f"sqlite:///{path}"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    database: str = request.getfixturevalue("postgresql_ledger")
    server.empty(database, [table.name for table in metadata.sorted_tables])
    return server.url(database)
