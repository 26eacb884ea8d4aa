"""All containers of a compose file, started in its order and stopped together."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from infra.sandbox.composed.container import Container
from infra.sandbox.composed.file import read_services
from infra.sandbox.composed.images import prepare_postgresql, program_of
from infra.sandbox.composed.place import Network, Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.sandbox.composed.file import Override

_START_S = 300.0
_POLL_S = 0.1
_HEALTH_EVERY_S = 1.5


class CompositionError(Exception):
    """A container does not do what it is there for; the message holds the end of what it said."""


class Composition:
    """The services of `infra/compose/compose.yaml`; none of their processes outlives the `with` block.

    Args:
        secrets: Content of each file below /run/secrets, as an operator writes it.
        variables: What an operator's `.env` says differently from `example.env`.
        overrides: What differs from the file, by service.

    Attributes:
        folder: All files of all containers.
    """

    def __init__(
        self,
        secrets: Mapping[str, str],
        variables: Mapping[str, str],
        overrides: Mapping[str, Override],
    ) -> None:
        # Others must find their way through it: as root, PostgreSQL runs as another user.
        self.folder = Path(tempfile.mkdtemp(prefix="onc-mirror-composed-"))
        self.folder.chmod(0o711)
        self._secrets = dict(secrets)
        self._network = Network()
        host = f"127.0.0.1:{self.port('proxy', 8443)}"
        self._services = read_services({"PREFECT_HOST": host, **variables}, overrides)
        self._containers: dict[str, list[Container]] = {}
        self._healthy: dict[str, bool] = {}
        self._asked_at = 0.0

    def __enter__(self) -> Self:
        try:
            self._up()
        except BaseException:
            self._down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._down()

    @property
    def url(self) -> str:
        """Where people reach it."""
        return f"https://127.0.0.1:{self.port('proxy', 8443)}"

    def port(self, service: str, inside: int) -> int:
        """Return the port of this machine that stands for one of a service."""
        return self._network.port(service, inside)

    def containers(self, service: str) -> list[Container]:
        """Return what was started of a service, oldest first."""
        return self._containers[service]

    def all_containers(self) -> list[Container]:
        """Return all that were started, in that order."""
        return [container for containers in self._containers.values() for container in containers]

    def start(self, service: str) -> Container:
        """Start one more container of a service.

        Raises:
            MissingProgramError: Its program is not installed.
            CompositionError: It does not come up.
        """
        said = self._services[service]
        started = self._containers.setdefault(service, [])
        name = f"{service}-{len(started) + 1}"
        folder = self.folder / name
        folder.mkdir(mode=0o711)
        place = Place(folder, said, self._network, tuple(self._services))
        place.furnish(self._secrets)
        started.append(Container(name, program_of(said, place), folder))
        if said.image.startswith("postgres:"):
            try:
                prepare_postgresql(said, place, self._network)
            except (TimeoutError, subprocess.SubprocessError) as error:
                raise CompositionError(f"{error} It said:\n{started[-1].tail()}") from None
        return started[-1]

    def _up(self) -> None:
        deadline = time.monotonic() + _START_S
        waiting = dict(self._services)
        while waiting:
            for name, service in list(waiting.items()):
                if all(self._is(other, condition) for other, condition in service.waits_for.items()):
                    del waiting[name]
                    for _ in range(service.replicas):
                        self.start(name)
            self._check()
            if time.monotonic() > deadline:
                raise CompositionError(f"After {_START_S:.0f} s these still wait for others: {', '.join(waiting)}.")
            time.sleep(_POLL_S)

    def _is(self, service: str, condition: str) -> bool:
        """Whether a service is in the state that another one waits for."""
        containers = self._containers.get(service, [])
        if not containers:
            return False
        match condition:
            case "service_started":
                return True
            case "service_completed_successfully":
                return containers[0].exit_code == 0
            case "service_healthy":
                return self._is_healthy(service)
            case _:
                raise CompositionError(f"{condition} is no condition of compose.")

    def _is_healthy(self, service: str) -> bool:
        """Ask until it is, and not too often: a check is a process."""
        if not self._healthy.get(service) and time.monotonic() > self._asked_at + _HEALTH_EVERY_S:
            self._healthy[service] = all(container.is_healthy() for container in self._containers[service])
            self._asked_at = time.monotonic()
        return self._healthy.get(service, False)

    def _check(self) -> None:
        """Raise when a container has failed, or one that has no end of its own has ended."""
        for service, containers in self._containers.items():
            ends = "service_completed_successfully" in {one.waits_for.get(service) for one in self._services.values()}
            for container in containers:
                code = container.exit_code
                if code is not None and not (ends and code == 0):
                    said = container.tail()
                    raise CompositionError(f"{container.name} ended with exit code {code}. It said:\n{said}")

    def _down(self) -> None:
        # The last first: workers still need their server, to say what became of their runs.
        for container in reversed(self.all_containers()):
            container.ask_to_stop()
        for container in reversed(self.all_containers()):
            container.wait_until_stopped()
        with suppress(FileNotFoundError):  # PostgreSQL removes its own
            shutil.rmtree(self.folder)
