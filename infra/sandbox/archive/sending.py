"""Puts answers on the wire: fast when all is well, and broken in every way the network knows when it is not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiohttp import web

from infra.sandbox.archive.body import Body, Memory, OnDisk
from infra.sandbox.archive.faults import Fault, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.sandbox.archive.journal import Served

_CHUNK: Final = 256 * 1024
_FIRST: Final = 4096
_POLL_S: Final = 0.05
_TICK_S: Final = 0.05
_LINGER_NOT: Final = struct.pack("ii", 1, 0)
_BREAKING: Final = frozenset({Kind.STALL, Kind.RESET, Kind.CUT, Kind.CHUNKED_CUT})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before it is sent.

    Attributes:
        body: Its bytes.
        content_type: Media type.
        status: HTTP status.
        headers: Further headers.
    """

    body: Body
    content_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


async def send(request: web.Request, reply: Reply, faults: Sequence[Fault], served: Served) -> web.StreamResponse:
    """Send the reply as the faults of kinds `faults.SENDING` demand, and note status and bytes in `served`."""
    served.status = reply.status
    headers = {"Content-Type": reply.content_type, **reply.headers}
    whole = [piece.content for piece in reply.body.pieces if isinstance(piece, Memory)]
    if not faults and len(whole) == len(reply.body.pieces) <= 1:
        served.sent = reply.body.size
        return web.Response(body=b"".join(whole), status=reply.status, headers=headers)
    return await _stream(request, reply, faults, served, headers)


async def _stream(
    request: web.Request, reply: Reply, faults: Sequence[Fault], served: Served, headers: Mapping[str, str]
) -> web.StreamResponse:
    kinds = {fault.kind for fault in faults}
    breaking = next((fault for fault in faults if fault.kind in _BREAKING), None)
    slow = next((fault for fault in faults if fault.kind is Kind.SLOW), None)
    response = web.StreamResponse(status=reply.status, headers=dict(headers))
    if kinds & {Kind.NO_CONTENT_LENGTH, Kind.CHUNKED_CUT}:
        response.enable_chunked_encoding()
    else:
        response.content_length = reply.body.size
    sender = _Sender(request, response, served, slow, raw=not response.chunked)
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        if breaking is None:
            await sender.send(reply.body)
            await response.write_eof()
        else:
            await _break(sender, reply.body, breaking)
    return response


async def _break(sender: _Sender, body: Body, fault: Fault) -> None:
    size = body.size
    await sender.send(body.cut(0, min(size, size // 2 if fault.after_bytes is None else fault.after_bytes)))
    await sender.flushed()
    if fault.kind is Kind.STALL:
        await sender.abandoned()
    elif fault.kind is Kind.RESET:
        drop(sender.request, reset=True)
    else:
        drop(sender.request, reset=False)


def drop(request: web.Request, *, reset: bool) -> None:
    """Close the connection of the request, with a FIN or a RST."""
    transport = request.transport
    if transport is None:
        return
    if reset:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        transport.abort()
    else:
        transport.close()


@dataclass(slots=True)
class _Sender:
    """Sends pieces of a body on one response."""

    request: web.Request
    response: web.StreamResponse
    served: Served
    slow: Fault | None
    raw: bool

    async def send(self, body: Body) -> None:
        """Send all of it.

        Raises:
            ConnectionError: The client has gone.
        """
        for piece in body.pieces:
            if isinstance(piece, OnDisk) and piece.size > _CHUNK and self.slow is None and self.raw:
                await self._send_file(piece)
            elif isinstance(piece, OnDisk):
                for start in range(0, piece.size, _CHUNK):
                    await self._write(piece.cut(start, min(start + _CHUNK, piece.size)).load())
            elif isinstance(piece, Memory):
                await self._write(piece.content)
            else:
                await self._write(await asyncio.to_thread(piece.load))

    async def flushed(self) -> None:
        """Wait until all that was sent has left the process."""
        transport = self.request.transport
        while transport is not None and not transport.is_closing() and transport.get_write_buffer_size():  # noqa: ASYNC110  no event tells
            await asyncio.sleep(_POLL_S / 10)
        await asyncio.sleep(_POLL_S / 10)

    async def abandoned(self) -> None:
        """Wait until the client has gone."""
        while self.request.transport is not None and not self.request.transport.is_closing():  # noqa: ASYNC110  as above
            await asyncio.sleep(_POLL_S)

    async def _send_file(self, piece: OnDisk) -> None:
        if not self.served.sent:
            # Headers leave with the first write; what bypasses the response must come after it.
            await self._write(piece.cut(0, _FIRST).load())
            piece = piece.cut(_FIRST, piece.size)
        transport = self.request.transport
        if transport is None:
            raise ConnectionResetError
        with piece.path.open("rb") as file:
            loop = asyncio.get_running_loop()
            self.served.sent += await loop.sendfile(transport, file, piece.offset, piece.size)

    async def _write(self, content: bytes) -> None:
        if self.slow is None:
            self.served.sent += len(content)
            await self.response.write(content)
            return
        step = max(1, int(self.slow.bytes_per_second * _TICK_S))
        for start in range(0, len(content), step):
            part = content[start : start + step]
            await self.response.write(part)
            self.served.sent += len(part)
            await asyncio.sleep(len(part) / self.slow.bytes_per_second)
