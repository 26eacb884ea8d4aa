"""The listening socket, with an ear that can be closed: new connections then time out, as if the host were gone."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_BACKLOG: Final = 1024
_FILLERS: Final = 3


class PortTakenError(Exception):
    """Something else listens on the port."""


class Listener:
    """Accepts connections for a protocol factory on 127.0.0.1."""

    def __init__(self, port: int, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        """Bind.

        Args:
            port: 0 for any free one.
            factory: Makes the protocol of each connection.

        Raises:
            PortTakenError: The port is busy.
        """
        self._factory = factory
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setblocking(False)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError as error:
            self._socket.close()
            raise PortTakenError(f"port {port} on 127.0.0.1 cannot be used: {error.strerror}") from None
        self._socket.listen(_BACKLOG)
        self._accepting = False
        self._greetings: set[asyncio.Task[object]] = set()
        self._hearing: asyncio.TimerHandle | None = None
        self._fillers: list[socket.socket] = []

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Accept connections from now on."""
        if not self._accepting:
            asyncio.get_running_loop().add_reader(self._socket, self._accept)
            self._accepting = True

    def go_deaf(self, seconds: float) -> None:
        """Let every new connection attempt go unanswered for `seconds`; open connections are not touched.

        The kernel answers for a listening socket until its queue is full, so the queue is shrunk and filled.
        """
        loop = asyncio.get_running_loop()
        if self._hearing is not None:
            self._hearing.cancel()
        elif self._accepting:
            self._stop_accepting()
            self._socket.listen(0)
            self._fillers = [self._fill() for _ in range(_FILLERS)]
        self._hearing = loop.call_later(seconds, self._hear)

    def close(self) -> None:
        """Stop listening."""
        self._stop_accepting()
        if self._hearing is not None:
            self._hearing.cancel()
        self._drop_fillers()
        self._socket.close()

    def _hear(self) -> None:
        self._hearing = None
        self._drop_fillers()
        self._socket.listen(_BACKLOG)
        self.start()

    def _fill(self) -> socket.socket:
        filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        filler.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            filler.connect(("127.0.0.1", self.port))
        return filler

    def _drop_fillers(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers = []

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            while True:
                connection, _ = self._socket.accept()
                connection.setblocking(False)
                greeting = loop.create_task(loop.connect_accepted_socket(self._factory, connection))
                self._greetings.add(greeting)
                greeting.add_done_callback(functools.partial(self._greeted, connection))

    def _greeted(self, connection: socket.socket, greeting: asyncio.Task[object]) -> None:
        """Close a connection that has no protocol that would: its client has left, or the loop ends."""
        self._greetings.discard(greeting)
        if greeting.cancelled() or greeting.exception() is not None:
            connection.close()

    def _stop_accepting(self) -> None:
        if self._accepting:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._accepting = False
