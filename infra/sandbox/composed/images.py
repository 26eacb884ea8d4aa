"""What the images of a compose file bring: ours its programs and variables, those of others their start."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.sandbox.options import ROOT
from infra.sandbox.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.sandbox.composed.file import Service
    from infra.sandbox.composed.place import Network, Place

SCRIPTS = ROOT / "infra" / "sandbox"

_CONTAINERFILE = ROOT / "infra" / "container" / "Containerfile"
_ENTRYPOINT = ROOT / "infra" / "container" / "entrypoint.sh"
_WORKDIR = "/var/lib/onc-mirror"
_START_S = 30.0
_POLL_S = 0.05


class MissingProgramError(Exception):
    """A program of Debian's is not installed; the message says how to install it."""


@dataclass(frozen=True, slots=True)
class Program:
    """What runs in a container, as it runs on this machine.

    Attributes:
        command: Program and arguments.
        environment: All variables.
        health: Program and arguments that end with 0 while it is healthy; empty when nothing says so.
        folder: Where it is started.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    health: Sequence[str]
    folder: Path


def image_environment() -> dict[str, str]:
    """What our image sets."""
    (step,) = [step for step in image_steps() if step.startswith("ENV ")]
    return dict(word.split("=", 1) for word in step.split()[1:])


def image_steps() -> list[str]:
    """The instructions that build our image, without comments, one line each."""
    lines = _CONTAINERFILE.read_text(encoding="utf-8").splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("#"))
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def missing_programs() -> str | None:
    """Say what is not installed that a composition needs, None when nothing is missing."""
    try:
        for name in ("postgresql", "redis", "nginx"):
            _find(name)
    except MissingProgramError as error:
        return str(error)
    return None


def program_of(service: Service, place: Place) -> Program:
    """Return what runs in a container of a service.

    Raises:
        MissingProgramError: It is not installed.
    """
    kind = service.image.partition(":")[0].rpartition("/")[2]
    return {"postgres": _postgresql, "redis": _redis, "nginx": _nginx}.get(kind, _ours)(service, place)


def _ours(service: Service, place: Place) -> Program:
    more = {}
    if service.command[:3] == ("prefect", "server", "start"):
        more = {"PREFECT_SERVER_API_HOST": HOST, "PREFECT_SERVER_API_PORT": str(place.port(4200))}
    variables = {**image_environment(), **service.environment, **more}
    command = [str(_ENTRYPOINT), *map(place.translated, service.command)]
    return _program(service, place, command, variables, place.path(_WORKDIR))


def _redis(service: Service, place: Place) -> Program:
    """Debian's programs, which find their port by themselves as those in the container do."""
    port = str(place.port(6379))
    server = _find("redis")
    _shim(place, "redis-server", f'exec {server} "$@" --bind {HOST} --port {port}')
    _shim(place, "redis-cli", f'exec {server.parent}/redis-cli -p {port} "$@"')
    command = [place.translated(word) for word in service.command]
    return _program(service, place, command, service.environment, place.path("/data"))


def _nginx(service: Service, place: Place) -> Program:
    configuration = place.path("/etc/nginx/nginx.conf")
    # Where this is root's, so are the files that it reads and writes.
    user = f"user {_user()}; " if os.getuid() == 0 else ""
    command = [str(_find("nginx")), "-e", "stderr", "-c", str(configuration), "-g", f"{user}daemon off;"]
    return _program(service, place, command, service.environment, place.folder)


def _postgresql(service: Service, place: Place) -> Program:
    script = str(SCRIPTS / "postgresql.sh")
    programs = _find("postgresql")
    # It finds a port by itself.
    _shim(place, "pg_isready", f'exec {programs}/pg_isready --port "$(cat {_port_file(place)})" "$@"')
    variables = {
        **service.environment,
        "POSTGRESQL_PASSWORD_FILE": service.environment["POSTGRES_PASSWORD_FILE"],
    }
    return _program(service, place, ["bash", script, "run", str(_port_file(place).parent)], variables, place.folder)


def prepare_postgresql(service: Service, place: Place, network: Network) -> None:
    """Do what its image does with an empty volume: make the database, and run the scripts that are mounted.

    Raises:
        TimeoutError: The server does not come up.
    """
    said = _port_file(place)
    deadline = time.monotonic() + _START_S
    while not (said.is_file() and said.read_text()):
        if time.monotonic() > deadline:
            raise TimeoutError("PostgreSQL does not come up.")
        time.sleep(_POLL_S)
    network.set_port(service.name, 5432, int(said.read_text()))
    password = place.path(service.environment["POSTGRES_PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
    client = {
        "PGHOST": HOST,
        "PGPORT": said.read_text().strip(),
        "PGUSER": service.environment["POSTGRES_USER"],
        "PGPASSWORD": password,
    }
    database = service.environment["POSTGRES_DB"]
    scripts = [str(place.path(path)) for path in service.mounts]
    for arguments in (
        ["postgres", f"--command=CREATE DATABASE {database}"],
        *([database, "-f", one] for one in scripts),
    ):
        command = [str(_find("postgresql") / "psql"), "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", *arguments]
        subprocess.run(command, env={**os.environ, **client}, check=True, timeout=_START_S)


def _program(
    service: Service, place: Place, command: Sequence[str], variables: Mapping[str, str], folder: Path
) -> Program:
    translated = {name: place.translated(value) for name, value in variables.items()}
    path = translated.get("PATH", "$PATH").replace("$PATH", os.environ["PATH"])
    environment = {
        "TMPDIR": str(place.path("/tmp")),  # noqa: S108 - the container's own
        "LANG": "C.UTF-8",
        **translated,
        "PATH": f"{place.folder / 'bin'}:{path}",
    }
    return Program(
        command=command,
        environment=environment,
        health=[place.inside(word) for word in service.health],
        folder=folder,
    )


def _shim(place: Place, name: str, line: str) -> None:
    path = place.folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


def _find(name: str) -> Path:
    found = subprocess.run(
        ["bash", str(SCRIPTS / f"{name}.sh"), "find"],  # noqa: S607 - found on the PATH
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        raise MissingProgramError(found.stderr.strip())
    return Path(found.stdout.strip())


def _port_file(place: Place) -> Path:
    return place.folder / "server" / "port"


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
