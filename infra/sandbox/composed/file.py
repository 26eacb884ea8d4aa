"""Reading a compose file: what its services run, with which variables and files, and after what."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from infra.sandbox.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMPOSE = ROOT / "infra" / "compose" / "compose.yaml"

_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


class ComposeFileError(Exception):
    """The file needs a variable that has no value."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the file says of a service.

    Attributes:
        name: Its name, which others reach it by.
        image: Its image.
        command: Program and arguments; empty for those of the image.
        environment: Variables beyond those of the image.
        secrets: Names of the files below /run/secrets.
        mounts: Files of this repository by the path that they have in the container.
        folders: Paths in the container that can be written to.
        waits_for: Condition by service: `service_started`, `service_healthy` or `service_completed_successfully`.
        health: Program and arguments that end with 0 while it is healthy; empty when it says nothing.
        replicas: How many containers there are.
    """

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    secrets: tuple[str, ...]
    mounts: Mapping[str, Path]
    folders: tuple[str, ...]
    waits_for: Mapping[str, str]
    health: tuple[str, ...]
    replicas: int


@dataclass(frozen=True, slots=True)
class Override:
    """What a second compose file would say of a service.

    Attributes:
        environment: Further variables.
        command: Another command; empty for that of the file.
        replicas: Another number of containers; None for that of the file.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    replicas: int | None = None


def read_services(
    variables: Mapping[str, str], overrides: Mapping[str, Override], path: Path = COMPOSE
) -> dict[str, Service]:
    """Read all services.

    Args:
        variables: What differs from `example.env`.
        overrides: What differs from the file, by service.
        path: The file.

    Raises:
        ComposeFileError: A variable is missing.
    """
    lines = path.with_name("example.env").read_text(encoding="utf-8").splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    content = _filled(yaml.safe_load(path.read_text(encoding="utf-8")), example | dict(variables))
    return {
        name: _service(name, said, overrides.get(name, Override()), path)
        for name, said in content["services"].items()
    }


def _service(name: str, said: Mapping[str, Any], override: Override, path: Path) -> Service:
    volumes = [volume.split(":") for volume in said.get("volumes", ())]
    bound = {parts[1]: path.parent / parts[0] for parts in volumes if parts[0].startswith("./")}
    written = [parts[-1] for parts in volumes if not parts[0].startswith("./")]
    return Service(
        name=name,
        image=said["image"],
        command=override.command or tuple(said.get("command", ())),
        environment={**said.get("environment", {}), **override.environment},
        secrets=tuple(said.get("secrets", ())),
        mounts=bound,
        folders=(*said.get("tmpfs", ()), *written),
        waits_for={other: wait["condition"] for other, wait in said.get("depends_on", {}).items()},
        health=_health(said.get("healthcheck", {}).get("test", ())),
        replicas=said.get("deploy", {}).get("replicas", 1) if override.replicas is None else override.replicas,
    )


def _health(test: list[str]) -> tuple[str, ...]:
    match test:
        case ["CMD", *command]:
            return tuple(command)
        case ["CMD-SHELL", script]:
            return ("/bin/sh", "-c", script)
        case _:
            return ()


def _filled(node: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, variables) for value in node]
    return _VARIABLE.sub(lambda found: _value(found, variables), node) if isinstance(node, str) else node


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name, otherwise, text = found.groups()
    if value := variables.get(name):
        return value
    if otherwise == "?":
        raise ComposeFileError(f"{name}: {text}")
    return text or ""
