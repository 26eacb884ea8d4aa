"""Ledgers for tests: SQLite always, PostgreSQL too when `ONC_MIRROR_TEST_LEDGERS` says `sqlite,postgresql`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

from onc_mirror.ledger import Ledger, open_ledger
from tests.support.postgresql import running_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BACKENDS = os.environ.get("ONC_MIRROR_TEST_LEDGERS", "sqlite").split(",")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    with running_postgresql() as url:
        yield url


@pytest.fixture(params=BACKENDS)
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a ledger that is not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state' / 'ledger.db'}"
    server: str = request.getfixturevalue("postgresql_server")
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return server


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with open_ledger(ledger_url) as opened:
        yield opened
