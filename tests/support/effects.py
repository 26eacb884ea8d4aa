"""Where a process can be killed: right before and right after each effect that it has on the world outside.

Nothing of this is in the mirror itself. `watch` hooks into the places through which every effect goes, in a process
that is about to run the console script: the commits of the ledger's engine, the requests of the S3 client, what
Python does to files (its audit events), the pieces of a download, the validation processes. The writing methods of
the ledger, its leases and the stores have names of their own besides.

An effect is known by its name and by the how manieth of that name in its process it is.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from sqlalchemy import Engine, event

from onc_mirror.archive import OncArchive
from onc_mirror.archive.body import Body
from onc_mirror.ledger import Ledger
from onc_mirror.ledger.leases import Leases
from onc_mirror.store.body import Slice
from onc_mirror.store.files import FileStore
from onc_mirror.store.port import ObjectStore
from onc_mirror.store.s3 import S3Store
from onc_mirror.store.s3_bucket import Bucket
from onc_mirror.validation.process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

STORE_READS = frozenset({"close", "head", "list", "look", "open", "uploads"})

_S3_READS = ("get_", "head_", "list_")
_FILE_EVENTS = frozenset({"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

# Effects that change what a later run finds. All others only have a name: a kill before one of them leaves the same
# as one before the next of these.
_CHANGING = ("disk.", "download.read", "ledger.commit", "s3.", "validation.send", "validation.start")
# Going on for as many pieces as a body has: all but a few are alike.
_STREAMS = frozenset({"download.read", "s3.body"})


@dataclass(frozen=True, slots=True)
class Boundary:
    """A moment in the life of a process.

    Attributes:
        side: Right before the effect, or right after it.
        effect: Name of the effect.
        number: From 1: which one of that name.
    """

    side: Literal["before", "after"]
    effect: str
    number: int

    def __str__(self) -> str:
        return f"{self.side} {self.effect} {self.number}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote."""
        side, effect, number = text.split(" ")
        return cls("before" if side == "before" else "after", effect, int(number))


def boundaries(trace: list[Boundary]) -> list[Boundary]:
    """Choose those after which a later run may find something else than after the one before, and the last."""
    counts = Counter(boundary.effect for boundary in trace if boundary.side == "before")
    chosen = [
        boundary
        for boundary in trace
        if boundary.side == "before"
        and boundary.effect.startswith(_CHANGING)
        and (boundary.effect not in _STREAMS or _is_telling(boundary.number, counts[boundary.effect]))
    ]
    return [*chosen, trace[-1]]


def store_effects() -> list[str]:
    """Names of what can be done to a store."""
    return sorted(name for name in _public_methods(ObjectStore) if name not in STORE_READS)


def ledger_effects(kind: type) -> list[str]:
    """Names of the methods of the ledger, or of its leases, that write.

    Their source says it: what only reads has no connection but one for reading. When in doubt it writes.
    """
    sources = {name: inspect.getsource(method) for name, method in _public_methods(kind).items() if name != "close"}
    return sorted(name for name, source in sources.items() if ".writing()" in source or ".reading()" not in source)


def _public_methods(kind: type) -> dict[str, Any]:
    return {
        name: value for name, value in vars(kind).items() if not name.startswith("_") and inspect.isfunction(value)
    }


class Tripwire:
    """Counts effects, kills the process at one boundary, and writes down all that are passed.

    Args:
        kill: Where to kill; None: nowhere.
        trace: The file to write them down in; None: nowhere.
    """

    def __init__(self, kill: Boundary | None, trace: Path | None) -> None:
        self._kill = kill
        self._trace = None if trace is None else os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def before(self, effect: str) -> int:
        """Say that an effect begins; which one of its name it is."""
        with self._lock:
            self._counts[effect] += 1
            number = self._counts[effect]
        self._pass(Boundary("before", effect, number))
        return number

    def after(self, effect: str, number: int) -> None:
        """Say that an effect has ended."""
        self._pass(Boundary("after", effect, number))

    def _pass(self, boundary: Boundary) -> None:
        if self._trace is not None:
            os.write(self._trace, f"{boundary}\n".encode())
        if boundary == self._kill:
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)  # the signal may reach another thread first; this one must not go on

    def around(self, effect: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Give a function that does the same between `before` and `after`."""

        @functools.wraps(call)
        def watched(*arguments: Any, **named: Any) -> Any:
            number = self.before(effect)
            result = call(*arguments, **named)
            self.after(effect, number)
            return result

        return watched


def watch(wire: Tripwire, folders: Mapping[str, str]) -> None:
    """Have every effect of this process pass `wire`; for as long as the process lives.

    Args:
        wire: Where they pass.
        folders: What is done to files below these paths is an effect, under the name given.
    """
    for kind, name in ((Ledger, "ledger"), (Leases, "leases")):
        _wrap(wire, kind, {method: f"{name}.{method}" for method in ledger_effects(kind)})
    for store in (FileStore, S3Store):
        _wrap(wire, store, {method: f"store.{method}" for method in store_effects()})
    _wrap(wire, OncArchive, {"open_file": "download.open"})
    _wrap(wire, Body, {"read": "download.read"})
    _wrap(wire, WorkerProcess, {"__init__": "validation.start", "_send": "validation.send", "ask": "validation.ask"})
    _watch_commits(wire)
    _watch_requests(wire)
    _watch_files(wire, folders)


def _is_telling(number: int, count: int) -> bool:
    return number in {1, 2, count // 2, count - 1, count}


def _wrap(wire: Tripwire, kind: type, effects: Mapping[str, str]) -> None:
    for name, effect in effects.items():
        setattr(kind, name, wire.around(effect, getattr(kind, name)))


def _watch_commits(wire: Tripwire) -> None:
    def commits(connection: Any) -> None:
        if connection.get_execution_options().get("writes"):
            wire.before("ledger.commit")

    event.listen(Engine, "commit", commits)


def _watch_requests(wire: Tripwire) -> None:
    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def request(bucket: Bucket, operation: str, *arguments: Any, **named: Any) -> Any:
            if operation.startswith(_S3_READS):
                return call(bucket, operation, *arguments, **named)
            return wire.around(f"s3.{operation}", call)(bucket, operation, *arguments, **named)

        return request

    for name in ("call", "send"):
        setattr(Bucket, name, watched(getattr(Bucket, name)))
    chunks = Slice.__aiter__

    async def pieces(body: Slice) -> AsyncIterator[bytes]:
        async for chunk in chunks(body):
            wire.before("s3.body")
            yield chunk

    setattr(Slice, "__aiter__", pieces)  # noqa: B010 - mypy takes no other method in its place


def _watch_files(wire: Tripwire, folders: Mapping[str, str]) -> None:
    def hear(name: str, arguments: tuple[Any, ...]) -> None:
        if name not in _FILE_EVENTS or (name == "open" and not _opens_for_writing(arguments)):
            return
        path = _path(arguments[0], arguments[-1] if name != "open" else -1)
        for folder, label in folders.items():
            if path.startswith(folder) and _changes(name, path):
                wire.before(f"disk.{label}.{name.removeprefix('os.')}")
                return

    sys.addaudithook(hear)


def _opens_for_writing(arguments: tuple[Any, ...]) -> bool:
    return isinstance(arguments[2], int) and bool(arguments[2] & _WRITING)


def _changes(name: str, path: str) -> bool:
    """Tell making and removing from trying to."""
    return name == "open" or os.path.lexists(path) != (name == "os.mkdir")


def _path(path: Any, folder: Any) -> str:
    if isinstance(path, int):
        return ""
    text = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0 and not text.startswith("/"):
        return f"{Path(f'/proc/self/fd/{folder}').readlink()}/{text}"
    return text
