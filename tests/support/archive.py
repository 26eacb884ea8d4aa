"""The archive stand-in for tests: in this process, on a thread with a loop of its own, on any free port.

with running_archive(tmp_path) as archive:
    archive.set_clock(datetime(2022, 5, 2, 12, tzinfo=UTC))
    archive.fault(Kind.STALL, filename="*CAMERA*", count=1)
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from infra.sandbox.archive.config import ArchiveConfig
from infra.sandbox.archive.faults import Fault, FaultBook, Kind
from infra.sandbox.archive.sea import Wanted
from infra.sandbox.archive.server import serving
from infra.sandbox.archive.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from infra.sandbox.archive.journal import Served
    from infra.sandbox.archive.shelf import Edition

_START_S = 10.0


@dataclass(frozen=True, slots=True)
class RunningArchive:
    """A stand-in that runs.

    Attributes:
        url: Base URL with a trailing slash, as `ONC_MIRROR_ARCHIVE_URL` and `onc.ONC.baseUrl` want it.
        config: How it was set up.
        service: Its inside.
        stop: Stops it before the context ends; more than once does no harm.
    """

    url: str
    config: ArchiveConfig
    service: Service
    stop: Callable[[], None]

    @property
    def token(self) -> str:
        return self.config.token

    @property
    def faults(self) -> FaultBook:
        return self.service.shelf.faults

    @property
    def requests(self) -> tuple[Served, ...]:
        """What was served, oldest first; without tokens."""
        return self.service.journal.all()

    def requests_for(self, endpoint: str, *, filename: str | None = None) -> list[Served]:
        return [
            served for served in self.requests if served.endpoint == endpoint and filename in {None, served.filename}
        ]

    def wait_until_quiet(self, timeout_s: float = 5.0) -> None:
        """Wait until no request is being served: the log lags behind what a client has received."""
        until = time.monotonic() + timeout_s
        while any(served.seconds is None for served in self.requests):
            if time.monotonic() > until:
                raise TimeoutError("Requests are still being served.")
            time.sleep(0.005)

    def forget_requests(self) -> None:
        self.service.journal.clear()

    def fault(self, kind: Kind, **fields: Any) -> int:
        """Add `Fault(kind=kind, **fields)`; returns the number that `faults.remove` takes."""
        return self.faults.add(Fault(kind=kind, **fields))

    def set_clock(self, moment: datetime | None, *, running: bool = False) -> None:
        """Let the archive's clock stand still at `moment`, or run from it; None: the machine's clock."""
        self.service.shelf.clock.set(moment, running=running)

    def true_bytes(self, filename: str) -> bytes:
        """What an undamaged download has now."""
        return self.service.shelf.body(self._edition(filename)).load()

    def true_sha256(self, filename: str) -> str:
        """As `true_bytes`, for files of any size."""
        return self.service.shelf.body(self._edition(filename)).sha256()

    def row(self, filename: str) -> dict[str, Any]:
        """Its row with `returnOptions=all`."""
        return self.service.shelf.row(self._edition(filename))

    def rows(self, device_code: str, **wanted: Any) -> list[dict[str, Any]]:
        """All rows of a device now; `wanted` as for `sea.Wanted` (`extension`, `product`, spans in ms)."""
        shelf = self.service.shelf
        return [shelf.row(edition) for edition in shelf.listed(device_code, Wanted(**wanted))]

    def api(self, path: str, *, token: str | None = None, **parameters: Any) -> str:
        """URL of a call, such as `api("archivefile/device", deviceCode="TUMLIDAR001")`, with the right token."""
        query = {**parameters, "token": self.token if token is None else token}
        return f"{self.url}api/{path}?{urlencode(query)}"

    def _edition(self, filename: str) -> Edition:
        edition = self.service.shelf.named(filename)
        if edition is None:
            raise LookupError(filename)
        return edition


@contextmanager
def running_archive(
    state_dir: Path, config: ArchiveConfig | None = None, *, port: int = 0
) -> Iterator[RunningArchive]:
    """Run a stand-in until the context ends. A shared `state_dir` saves the writing of templates."""
    chosen = config or ArchiveConfig()
    service = Service(chosen, state_dir)
    runner = _Runner(service, port)
    runner.start()
    try:
        yield RunningArchive(f"http://127.0.0.1:{runner.bound()}/", chosen, service, runner.stop)
    finally:
        runner.stop()


class _Runner(threading.Thread):
    def __init__(self, service: Service, port: int) -> None:
        super().__init__(name="archive-stand-in", daemon=True)
        self._service = service
        self._port = port
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def run(self) -> None:
        asyncio.run(self._serve())

    def bound(self) -> int:
        if not self._ready.wait(_START_S):
            raise TimeoutError("The archive stand-in did not start.")
        if self._failure is not None:
            raise self._failure
        return self._port

    def stop(self) -> None:
        if self._loop is not None and self._stopping is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self.join()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with serving(self._service, self._port) as listener:
                self._port = listener.port
                self._ready.set()
                await self._stopping.wait()
        except Exception as error:  # noqa: BLE001  it is raised again where the test waits
            self._failure = error
            self._ready.set()
