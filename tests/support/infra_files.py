"""The processes that the files of `infra/` start, and what they have in their environment."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from infra.sandbox.composed.file import COMPOSE
from infra.sandbox.composed.images import image_environment, image_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
CONTAINERFILE = INFRA / "container" / "Containerfile"
ENTRYPOINT = INFRA / "container" / "entrypoint.sh"
MANIFESTS = sorted(path for path in (INFRA / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
UNITS = sorted((INFRA / "systemd").glob("*.service"))

_IMAGE = "${ONC_MIRROR_IMAGE"


@dataclass(frozen=True, slots=True)
class Process:
    """A process of ours.

    Attributes:
        where: File and part of it.
        command: Program and arguments.
        environment: What the file says of it.
    """

    where: str
    command: tuple[str, ...]
    environment: dict[str, str]


def processes() -> list[Process]:
    """All of them."""
    return [*_of_compose(), *_of_manifests(), *_of_units(), *_of_image()]


def helm_environment() -> dict[str, str]:
    """What the values of Prefect's server chart set by name."""
    values = yaml.safe_load((INFRA / "helm" / "server.yaml").read_text(encoding="utf-8"))
    return {one["name"]: one["value"] for one in values["global"]["prefect"]["env"]}


def _of_compose() -> Iterator[Process]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    for name, service in services.items():
        if service["image"].startswith(_IMAGE):
            yield Process(f"compose: {name}", tuple(service["command"]), service["environment"])


def _of_manifests() -> Iterator[Process]:
    settings: dict[str, str] = {}
    for path in MANIFESTS:
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if document["kind"] == "ConfigMap":
                settings = document["data"]
    for path in MANIFESTS:
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            for container in _containers(document):
                named = {one["name"]: one.get("value", "") for one in container.get("env", ())}
                yield Process(f"kubernetes: {path.stem}", tuple(container["args"]), settings | named)


def _containers(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, dict):
        own = node["containers"] if isinstance(node.get("containers"), list) else []
        return [*own, *(found for value in node.values() for found in _containers(value))]
    return [found for value in node for found in _containers(value)] if isinstance(node, list) else []


def _of_units() -> Iterator[Process]:
    for path in UNITS:
        text = path.read_text(encoding="utf-8")
        (command,) = re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)
        program, *arguments = command.replace("%i", "mirror").split()
        words = " ".join(re.findall(r"^Environment=(.+)$", text, re.MULTILINE)).split()
        environment = dict(word.split("=", 1) for word in words)
        yield Process(f"systemd: {path.name}", (Path(program).name, *arguments), environment)


def _of_image() -> Iterator[Process]:
    for step in image_steps():
        if found := re.search(r"CMD (\[.*\])$", step):
            yield Process(f"image: {step.split()[0]}", tuple(json.loads(found[1])), image_environment())
