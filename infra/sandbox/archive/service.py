"""The API under `/api/`: from a request to the answer, with the faults that were asked for on the way."""

from __future__ import annotations

import asyncio
import json
import re
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

from infra.sandbox.archive import availability, discovery, listing
from infra.sandbox.archive.body import Body, body_of
from infra.sandbox.archive.damage import damaged
from infra.sandbox.archive.faults import ANSWERING, DAMAGING, LISTING, SENDING, Fault, Kind
from infra.sandbox.archive.journal import Journal, Served
from infra.sandbox.archive.query import BAD_VALUE, NO_SUCH_FILE, ApiError, Query
from infra.sandbox.archive.sending import Reply, drop, send
from infra.sandbox.archive.shelf import Edition, Shelf
from infra.sandbox.archive.times import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aiohttp import web

    from infra.sandbox.archive.config import ArchiveConfig

PATHS: Final = {
    "/api/archivefile/device": "device",
    "/api/archivefile/location": "location",
    "/api/archivefile/download": "download",
    "/api/deployments": "deployments",
    "/api/devices": "devices",
    "/api/dataProducts": "dataProducts",
    "/api/dataAvailability/dataproducts": "dataAvailability",
}
_DEVICE_OF_NAME: Final = re.compile(r"(.+)_\d{8}T\d{6}\.\d{3}Z")
_PAGE: Final = b"<!DOCTYPE html>\n<html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n"
_ERROR_JSON: Final = {"errors": [{"errorCode": 0, "errorMessage": "Internal error", "parameter": ""}]}
_DEAF_S: Final = 5.0
_LATENCY_S: Final = 0.5
_STATUS_TEXT: Final = {429: b"Too Many Requests", 500: b"Internal Server Error", 503: b"Service Unavailable"}


class Service:
    """Answers API calls.

    Attributes:
        shelf: What the archive holds.
        journal: What was served.
    """

    def __init__(self, config: ArchiveConfig, state_dir: Path) -> None:
        self.config = config
        self.shelf = Shelf(config, state_dir)
        self.journal = Journal()
        self._go_deaf: Callable[[float], None] = lambda _seconds: None

    def can_go_deaf(self, go_deaf: Callable[[float], None]) -> None:
        """Tell how to let new connections time out for some seconds."""
        self._go_deaf = go_deaf

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Serve one call."""
        served = self._note(request)
        try:
            return await self._serve(request, served)
        finally:
            served.finish()

    def _note(self, request: web.Request) -> Served:
        given = request.query
        filename = given.get("filename")
        place = {"locationCode": given.get("locationCode"), "deviceCategoryCode": given.get("deviceCategoryCode")}
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        return self.journal.open(
            method=request.method,
            path=request.path,
            endpoint=PATHS[request.path],
            parameters={name: value for name, value in given.items() if name.lower() != "token"},
            device=given.get("deviceCode") or _device_of(filename) or self._device_at(**place),
            filename=filename,
            port=peer[1] if peer else 0,
        )

    @property
    def date(self) -> str:
        """The stand-in's clock as a `Date` header."""
        return formatdate(self.shelf.clock.now() / SECOND, usegmt=True)

    async def _serve(self, request: web.Request, served: Served) -> web.StreamResponse:
        for fault in self._strike(frozenset({Kind.LATENCY}), served):
            await asyncio.sleep(_LATENCY_S if fault.seconds is None else fault.seconds)
        deaf = self._strike(frozenset({Kind.CONNECT_TIMEOUT}), served)
        if deaf:
            self._go_deaf(max(_DEAF_S if fault.seconds is None else fault.seconds for fault in deaf))
            drop(request, reset=True)
            raise ConnectionResetError
        reply = await self._reply(request, served)
        reply = Reply(reply.body, reply.content_type, reply.status, {"Date": self.date, **reply.headers})
        return await send(request, reply, self._strike(SENDING, served), served)

    async def _reply(self, request: web.Request, served: Served) -> Reply:
        if self._strike(frozenset({Kind.TOKEN_REVOKED}), served):
            return _json_reply(ApiError(BAD_VALUE, "Invalid parameter value", "token").answer, 401)
        failing = self._strike(ANSWERING, served)
        if failing:
            return _failure(failing[0])
        try:
            if served.endpoint == "download":
                return await self._download(request, served)
            return await self._call(request, served)
        except ApiError as error:
            return _json_reply(error.answer, error.status)

    async def _call(self, request: web.Request, served: Served) -> Reply:
        faults = self._strike(LISTING, served)
        url = listing.Url(f"{request.scheme}://{request.host}{request.path}", request.query_string, self.config.token)
        answer = await asyncio.to_thread(self._look_up, served.endpoint, request, faults, url)
        content = json.dumps(answer).encode()
        if any(fault.kind is Kind.GARBLED_JSON for fault in faults):
            content = content[: len(content) // 2]
        return Reply(body_of(content))

    def _look_up(self, endpoint: str, request: web.Request, faults: Sequence[Fault], url: listing.Url) -> Any:
        shelf, config = self.shelf, self.config
        match endpoint:
            case "device":
                query = self._read(request, listing.BY_DEVICE, ("deviceCode",))
                return listing.list_by_device(shelf, config, query, faults, url)
            case "location":
                query = self._read(request, listing.BY_LOCATION, ("locationCode", "deviceCategoryCode"))
                return listing.list_by_location(shelf, config, query, faults, url)
            case "deployments":
                return discovery.deployments(shelf.sea, self._read(request, discovery.DEPLOYMENTS))
            case "devices":
                return discovery.devices(shelf.sea, self._read(request, discovery.DEVICES))
            case "dataProducts":
                return discovery.data_products(shelf.sea, self._read(request, discovery.DATA_PRODUCTS))
            case _:
                query = self._read(request, availability.PARAMETERS)
                return availability.availability(shelf, config, query, f"{url.base}?{url.query}")

    def _read(self, request: web.Request, known: Sequence[str], required: Sequence[str] = ()) -> Query:
        return Query.read(
            request.query, known=known, required=required, token=self.config.token, now=self.shelf.clock.now()
        )

    async def _download(self, request: web.Request, served: Served) -> Reply:
        name = self._read(request, ("filename",), ("filename",)).values["filename"]
        edition = self.shelf.named(name)
        refusing = self._strike(frozenset({Kind.NOT_READY, Kind.GONE_BETWEEN}), served)
        if any(fault.kind is Kind.GONE_BETWEEN for fault in refusing):
            self.shelf.faults.add(Fault(kind=Kind.VANISHED, filename=name))
        if edition is None or refusing:
            raise ApiError(NO_SUCH_FILE, "Archive file does not exist", "filename")
        if self.shelf.contents.is_ready(edition.file, edition.growth):
            body = self._body(edition, served)
        else:
            body = await asyncio.to_thread(self._body, edition, served)
        return Reply(
            body, "application/octet-stream", headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )

    def _body(self, edition: Edition, served: Served) -> Body:
        body = self.shelf.body(edition)
        faults = self._strike(DAMAGING, served)
        return damaged(body, faults, self.shelf.soft_spot(edition)) if faults else body

    def _strike(self, kinds: frozenset[Kind], served: Served) -> list[Fault]:
        faults = self.shelf.faults.strike(kinds, served.endpoint, served.device, served.filename)
        served.faults += tuple(fault.kind.value for fault in faults)
        return faults

    def _device_at(self, *, locationCode: str | None, deviceCategoryCode: str | None) -> str | None:  # noqa: N803  as the API calls them
        if locationCode is None:
            return None
        for device in self.shelf.sea.devices.values():
            if device.location == locationCode and deviceCategoryCode in {None, device.category}:
                return device.code
        return None


def _device_of(filename: str | None) -> str | None:
    found = _DEVICE_OF_NAME.match(filename) if filename else None
    return found[1] if found else None


def _failure(fault: Fault) -> Reply:
    wait = fault.seconds
    match fault.kind:
        case Kind.TOO_MANY_REQUESTS:
            return _html_reply(429, 1 if wait is None else wait)
        case Kind.UNAVAILABLE:
            return _html_reply(503, wait)
        case Kind.SERVER_ERROR:
            return _html_reply(500)
        case Kind.STATUS:
            return _html_reply(fault.status)
        case Kind.JSON:
            return _json_reply(_ERROR_JSON, 200)
        case _:
            return _html_reply(200)


def _html_reply(status: int, retry_after: float | None = None) -> Reply:
    title = _STATUS_TEXT.get(status, b"Oceans 3.0")
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return Reply(body_of(_PAGE % (title, title)), "text/html; charset=utf-8", status, headers)


def _json_reply(answer: Any, status: int) -> Reply:
    return Reply(body_of(json.dumps(answer).encode()), status=status)
