"""The stand-in's own paths under `/_sandbox/`: faults, log of requests, clock, true hashes. They need no token."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from infra.sandbox.archive.faults import Fault
from infra.sandbox.archive.times import iso

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infra.sandbox.archive.service import Service


class ClockSetting(BaseModel):
    """Body of `POST /_sandbox/clock`.

    Attributes:
        now: The moment it is to be, None for the machine's clock.
        running: Whether time goes on from there; else it stands still.
    """

    model_config = ConfigDict(extra="forbid")

    now: AwareDatetime | None = None
    running: bool = False


def add_control(app: web.Application, service: Service) -> None:
    """Add the paths to the application."""
    control = _Control(service)
    app.router.add_get("/_sandbox/faults", control.list_faults)
    app.router.add_post("/_sandbox/faults", _told(control.add_fault))
    app.router.add_delete("/_sandbox/faults", control.clear_faults)
    app.router.add_delete(r"/_sandbox/faults/{number:\d+}", control.remove_fault)
    app.router.add_get("/_sandbox/requests", control.list_requests)
    app.router.add_delete("/_sandbox/requests", control.clear_requests)
    app.router.add_get("/_sandbox/clock", control.show_clock)
    app.router.add_post("/_sandbox/clock", _told(control.set_clock))
    app.router.add_get("/_sandbox/files/{filename}", control.show_file)


def _told(
    handler: Callable[[web.Request], Awaitable[web.Response]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False)
            return web.json_response({"errors": problems}, status=400)

    return answer


class _Control:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def list_faults(self, _request: web.Request) -> web.Response:
        """Every fault in the book, with its number."""
        faults = self._service.shelf.faults.all()
        return web.json_response([{"number": number, **_as_json(fault)} for number, fault in faults.items()])

    async def add_fault(self, request: web.Request) -> web.Response:
        """Put a fault, or a list of faults, into the book."""
        given = json.loads(await request.read() or b"null")
        faults = [Fault.model_validate(fault) for fault in (given if isinstance(given, list) else [given])]
        return web.json_response({"numbers": [self._service.shelf.faults.add(fault) for fault in faults]}, status=201)

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """Empty the book."""
        self._service.shelf.faults.clear()
        return web.json_response({})

    async def remove_fault(self, request: web.Request) -> web.Response:
        """Take one fault out."""
        removed = self._service.shelf.faults.remove(int(request.match_info["number"]))
        return web.json_response({"removed": removed}, status=200 if removed else 404)

    async def list_requests(self, _request: web.Request) -> web.Response:
        """What was served, without the token."""
        return web.json_response([served.as_json() for served in self._service.journal.all()])

    async def clear_requests(self, _request: web.Request) -> web.Response:
        """Forget what was served."""
        self._service.journal.clear()
        return web.json_response({})

    async def show_clock(self, _request: web.Request) -> web.Response:
        """What time it is here."""
        return web.json_response({"now": iso(self._service.shelf.clock.now())})

    async def set_clock(self, request: web.Request) -> web.Response:
        """Set the clock."""
        setting = ClockSetting.model_validate_json(await request.read())
        self._service.shelf.clock.set(setting.now, running=setting.running)
        return await self.show_clock(request)

    async def show_file(self, request: web.Request) -> web.Response:
        """Row, true size and hash of a file, before any damage."""
        shelf = self._service.shelf
        edition = shelf.named(request.match_info["filename"])
        if edition is None:
            return web.json_response({}, status=404)
        body = await asyncio.to_thread(shelf.body, edition)
        digest = await asyncio.to_thread(body.sha256)
        row = await asyncio.to_thread(shelf.row, edition)
        return web.json_response({"row": row, "size": body.size, "sha256": digest})


def _as_json(fault: Fault) -> dict[str, Any]:
    return fault.model_dump(mode="json", exclude_defaults=True)
