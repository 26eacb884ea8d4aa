"""The log of served requests, for tests and for `GET /_sandbox/requests`. The token never gets into it."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEPT: Final = 200_000


@dataclass(slots=True)
class Served:
    """One request.

    Attributes:
        number: Rising from 1.
        began: Epoch seconds by the machine's clock.
        method: HTTP method.
        path: Path without query.
        endpoint: Last word of the path; empty outside the API.
        parameters: The query without the token.
        device: Device code it is about, or None.
        filename: File it is about, or None.
        port: The client's port: requests of one connection have the same.
        status: HTTP status; None until it is known, and for connections that were dropped without an answer.
        sent: Bytes of the body that were handed to the network.
        faults: Kinds of the faults that struck.
        seconds: How long it took; None while it runs.
    """

    number: int
    began: float
    method: str
    path: str
    endpoint: str
    parameters: Mapping[str, str]
    device: str | None
    filename: str | None
    port: int
    status: int | None = None
    sent: int = 0
    faults: tuple[str, ...] = ()
    seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def finish(self) -> None:
        """Note how long it took."""
        self.seconds = time.time() - self.began


class Journal:
    """The last requests. Thread-safe."""

    def __init__(self) -> None:
        self._served: deque[Served] = deque(maxlen=_KEPT)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def open(self, **known: Any) -> Served:
        """Note a request that begins now."""
        with self._lock:
            served = Served(number=next(self._numbers), began=time.time(), **known)
            self._served.append(served)
        return served

    def all(self) -> tuple[Served, ...]:
        """What was served, oldest first."""
        with self._lock:
            return tuple(self._served)

    def clear(self) -> None:
        """Forget everything; numbers go on."""
        with self._lock:
            self._served.clear()
