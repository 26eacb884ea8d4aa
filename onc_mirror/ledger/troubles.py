"""What a database says when it fails, as one clear sentence with what to do.

The code that the driver gives decides, never its text. Texts are built from clean parts: the place is the ledger's
URL without user, password and query.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from onc_mirror.errors import LedgerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL

# https://www.sqlite.org/rescode.html, primary codes (the low byte of an extended one)
_SQLITE = {
    sqlite3.SQLITE_BUSY: "is locked by another process; wait until it is done, or find it with `fuser`",
    sqlite3.SQLITE_LOCKED: "is locked by another process; wait until it is done, or find it with `fuser`",
    sqlite3.SQLITE_READONLY: "cannot be written; check the rights of the file and of its folder",
    sqlite3.SQLITE_PERM: "cannot be opened; check the rights of the file and of its folder",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that its folder exists and can be written",
    sqlite3.SQLITE_FULL: "has no room to grow; free space on its disk",
    sqlite3.SQLITE_IOERR: "cannot be read or written; check its disk and the space on it",
    sqlite3.SQLITE_CORRUPT: "is damaged; move it away, the bucket is enough to rebuild it",
    sqlite3.SQLITE_NOTADB: "is not an SQLite file; check ONC_MIRROR_LEDGER_URL",
}

# https://www.postgresql.org/docs/15/errcodes-appendix.html, whole codes before classes
_POSTGRESQL = {
    "28": "refused user or password; check ONC_MIRROR_LEDGER_URL",
    "3D": "has no such database; create it, or check ONC_MIRROR_LEDGER_URL",
    "42501": "does not grant the rights that are needed; let the user create and write tables",
    "25006": "cannot be written; it is a read-only copy",
    "53100": "has no room to grow; free space on the server's disk",
    "53300": "has too many connections; raise its limit or lower ONC_MIRROR_CONCURRENCY",
    "40": "was busy with another transaction on the same rows; try again",
    "55P03": "is locked by another process; wait until it is done",
    "57": "was shut down or restarted; try again when it is up",
    "08": "broke the connection; try again",
}
_NO_SERVER = "cannot be reached; check that the server is up, and host and port in ONC_MIRROR_LEDGER_URL"


@contextmanager
def named_troubles(place: str) -> Iterator[None]:
    """Turn what the database raises into `LedgerUnavailableError`.

    Args:
        place: Where the ledger is, without secrets.

    Raises:
        LedgerUnavailableError: The database cannot be reached, opened, read or written.
    """
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise LedgerUnavailableError(f"The ledger {place} {_explain(error)}.") from None
    except PoolTimeoutError:
        raise LedgerUnavailableError(f"The ledger {place} did not answer; all connections are in use.") from None


def place_of(url: URL) -> str:
    """Return where a ledger is, for people: the path, or host, port and database."""
    if url.host is None:
        return str(url.database)
    return f"{url.host}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def _explain(error: DBAPIError) -> str:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code & 0xFF, f"failed with SQLite's error code {code}")
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return _NO_SERVER
    return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2], f"failed with PostgreSQL's error code {state}")
