"""A PostgreSQL server for tests: Debian's binaries, a folder of its own, any free port, stopped at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_S = "60"


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Run a server and yield the SQLAlchemy URL of its maintenance database."""
    folder = Path(tempfile.mkdtemp(prefix="onc-mirror-pg-"))
    as_user = _server_user(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Nothing here outlives the tests, so nothing is synced to disk.
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    data = ["-D", str(folder / "data")]
    _run("initdb", *data, "--auth=trust", "--username=onc", "--no-sync", "--encoding=UTF8", **as_user)
    _run("pg_ctl", *data, "-w", "-t", _START_S, "-l", str(folder / "log"), "-o", options, "start", **as_user)
    try:
        yield f"postgresql+psycopg://onc@127.0.0.1:{port}/postgres"
    finally:
        _run("pg_ctl", *data, "-w", "-m", "immediate", "stop", **as_user)
        shutil.rmtree(folder)


def _server_user(folder: Path) -> dict[str, Any]:
    # PostgreSQL refuses to run as root.
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _run(program: str, *arguments: str, **as_user: Any) -> None:
    found = shutil.which(program) or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), reverse=True)), None
    )
    if found is None:
        raise RuntimeError(
            f"{program} is not installed; ONC_MIRROR_TEST_LEDGERS=postgresql needs Debian's postgresql"
        )
    subprocess.run([found, *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/", **as_user)
