"""A Prefect server that is killed under its clients, and started again on what it had written down."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

from infra.sandbox import guard
from infra.sandbox.up import START_S, servers
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.sandbox.up import Sandbox


@contextmanager
def without_prefect(sandbox: Sandbox) -> Iterator[None]:
    """Kill the Prefect server of a sandbox with SIGKILL, and start it again at the end of the block."""
    for process in _server(sandbox.options.prefect_port):
        process.kill()
    (command,) = (one for one in servers(sandbox.options) if one.name == "Prefect server")
    try:
        yield
    finally:
        wait_until(lambda: not _listeners(sandbox.options.prefect_port))
        sandbox.parts.wait_until_healthy(sandbox.parts.start_again(command), START_S)


def _server(port: int) -> list[psutil.Process]:
    """Who listens at the port, and what started that, up to its guard."""
    (listener,) = _listeners(port)
    family = [psutil.Process(listener)]
    while (parent := family[-1].parent()) is not None and guard.__name__ not in parent.cmdline():
        family.append(parent)
    return family


def _listeners(port: int) -> set[int]:
    found = [one for one in psutil.net_connections(kind="tcp") if one.status == psutil.CONN_LISTEN]
    return {one.pid for one in found if one.laddr[1:] == (port,) and one.pid is not None}
