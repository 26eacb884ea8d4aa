"""Which databases the tests of the ledger run on, and a place for a new ledger in each of them.

`ONC_MIRROR_TEST_LEDGERS=sqlite,postgresql` asks for both, and a PostgreSQL that is asked for must be there. Without
it they run on SQLite, and on PostgreSQL where that is installed.
"""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

import pytest

from onc_mirror.ledger import open_ledger
from tests.support.postgresql import missing_postgresql

KNOWN = ("sqlite", "postgresql")
_ASKED = os.environ.get("ONC_MIRROR_TEST_LEDGERS")
LEDGERS = _ASKED.split(",") if _ASKED else list(KNOWN)

if unknown := set(LEDGERS) - set(KNOWN):
    raise pytest.UsageError(f"ONC_MIRROR_TEST_LEDGERS knows {', '.join(KNOWN)}, not {', '.join(unknown)}.")


@cache
def empty_sqlite_ledger() -> bytes:
    """The file of an empty ledger, to copy: that is cheaper than to make one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        open_ledger(f"sqlite:///{path}").close()
        return path.read_bytes()


def require_postgresql() -> None:
    """Skip the test where PostgreSQL is not installed; fail it when it was asked for by name."""
    if (reason := missing_postgresql()) is None:
        return
    if _ASKED:
        pytest.fail(f"ONC_MIRROR_TEST_LEDGERS asks for PostgreSQL. {reason}", pytrace=False)
    pytest.skip(reason)
