"""Runs the stand-in: an aiohttp server on 127.0.0.1 over a `Service`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from infra.sandbox.archive.control import add_control
from infra.sandbox.archive.listener import Listener
from infra.sandbox.archive.service import PATHS, Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SHUTDOWN_S = 0.2


@asynccontextmanager
async def serving(service: Service, port: int) -> AsyncIterator[Listener]:
    """Serve until the context ends; open connections are cut then.

    Args:
        service: What answers.
        port: 0 for any free one.

    Raises:
        PortTakenError: The port is busy.
    """
    app = web.Application()
    for path in PATHS:
        app.router.add_get(path, service.answer, allow_head=False)
    add_control(app, service)

    async def date(_request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = service.date  # also on answers that aiohttp gives by itself, such as its 404

    app.on_response_prepare.append(date)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    server = runner.server
    if server is None:
        raise RuntimeError("aiohttp made no server.")
    try:
        listener = Listener(port, server)
        try:
            service.can_go_deaf(listener.go_deaf)
            listener.start()
            yield listener
        finally:
            listener.close()
    finally:
        await runner.cleanup()
