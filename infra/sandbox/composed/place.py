"""Where on this machine is what a container has for itself: its files, and the names that it knows others by."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from infra.sandbox.options import ROOT
from infra.sandbox.ports import HOST, pick_free

if TYPE_CHECKING:
    from infra.sandbox.composed.file import Service

_SECRETS = "/run/secrets"
# PostgreSQL's own, which a URL may leave out.
_DEFAULT_PORT = 5432
_PROGRAMS = {
    "/opt/onc-mirror/bin": Path(sys.executable).parent,
    "/opt/onc-mirror/logging.yml": ROOT / "deployments" / "logging.yml",
}


class Network:
    """The ports of all services, each chosen when it is first asked for."""

    def __init__(self) -> None:
        self._ports: dict[tuple[str, int], int] = {}

    def port(self, service: str, inside: int) -> int:
        """Return the port of the loopback address that stands for a service's own port."""
        if (service, inside) not in self._ports:
            self._ports[service, inside] = pick_free(avoid=self._ports.values())
        return self._ports[service, inside]

    def set_port(self, service: str, inside: int, port: int) -> None:
        """Say where a service listens that has found a port by itself."""
        self._ports[service, inside] = port


class Place:
    """A container's files and names.

    Attributes:
        folder: What it has instead of the root of a file system.
    """

    def __init__(self, folder: Path, service: Service, network: Network, names: tuple[str, ...]) -> None:
        self.folder = folder
        self._service = service
        self._network = network
        paths = (_SECRETS, *service.folders, *service.mounts, "/var/lib/onc-mirror")
        self._paths = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, (*paths, *_PROGRAMS)))})(?![\w.-])")
        longest_first = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        # In a URL, with or without a password; in the list of servers of a proxy.
        self._names = re.compile(rf"(//(?:[^/@\s]*@)?|\bserver )({longest_first})(?::(\d+))?(?![\w.-])")

    def furnish(self, secrets: dict[str, str]) -> None:
        """Make its folders, and write the files that it gets."""
        for path in (*self._service.folders, "/var/lib/onc-mirror"):
            self.path(path).mkdir(parents=True, exist_ok=True)
        for name in self._service.secrets:
            self._write(f"{_SECRETS}/{name}", secrets[name])
        for path, source in self._service.mounts.items():
            self._write(path, source.read_text(encoding="utf-8"))

    def path(self, path: str) -> Path:
        """Return where a path of the container is."""
        return self.folder / path.lstrip("/")

    def port(self, inside: int) -> int:
        """Return the port that stands for one of its own."""
        return self._network.port(self._service.name, inside)

    def translated(self, text: str) -> str:
        """Return a text that is meant for the container as it has to be on this machine."""
        return self._paths.sub(self._found_path, self._names.sub(self._found_name, text))

    def inside(self, text: str) -> str:
        """As `translated`, for what asks the container itself by the loopback address."""
        own = re.compile(rf"{re.escape(HOST)}:(\d+)")
        return self.translated(own.sub(lambda found: f"{HOST}:{self.port(int(found[1]))}", text))

    def listening(self, text: str) -> str:
        """As `translated`, for the configuration of a server that listens on all addresses."""
        own = re.compile(r"\blisten (\d+)")
        return self.translated(own.sub(lambda found: f"listen {HOST}:{self.port(int(found[1]))}", text))

    def _write(self, path: str, text: str) -> None:
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o600)
        place.write_text(self.listening(text), encoding="utf-8")

    def _found_name(self, found: re.Match[str]) -> str:
        before, name, inside = found.groups()
        return f"{before}{HOST}:{self._network.port(name, int(inside or _DEFAULT_PORT))}"

    def _found_path(self, found: re.Match[str]) -> str:
        return str(_PROGRAMS.get(found[0], self.path(found[0])))
