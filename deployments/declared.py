"""The files of a declaration, read and checked, without asking a server.

They are Prefect's own: `prefect.yaml` as `prefect deploy` reads it, with the key `work_pools` besides, and
`automations.yaml` as `prefect automation create` does, but that an action names its notification block in `block`.
Keys that nobody knows are refused: Prefect passes over them, and a misspelt limit is no limit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from onc_mirror.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

SHIPPED = Path(__file__).parent
TAG = "onc-mirror"
"""Deployments that carry it are ours: what of them no file declares is deleted."""

PREFIX = "onc-mirror: "
"""Automations whose names begin so are ours."""

M = TypeVar("M", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkPool(_Strict):
    """A work pool."""

    name: str
    type: str
    description: str = ""


class Schedule(_Strict):
    """When a deployment runs by itself."""

    slug: str
    cron: str
    timezone: str = "UTC"
    parameters: dict[str, Any] = Field(default_factory=dict)


class Limit(_Strict):
    """How many of a deployment's runs may work at a time, and what becomes of the next."""

    limit: int = Field(ge=1)
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"]


class Pool(_Strict):
    """Where a deployment runs."""

    name: str
    job_variables: dict[str, Any] | None = None


class Deployment(_Strict):
    """A flow that can be run by name."""

    name: str
    entrypoint: str
    description: str
    tags: list[str]
    parameters: dict[str, Any] = Field(default_factory=dict)
    schedules: list[Schedule] = Field(default_factory=list)
    concurrency_limit: Limit | None = None
    work_pool: Pool

    @field_validator("tags")
    @classmethod
    def _ours(cls, tags: list[str]) -> list[str]:
        if TAG not in tags:
            raise ValueError(f"must have {TAG!r} among them, or nobody would know the deployment for ours")
        return tags


class _PrefectFile(_Strict):
    name: str
    pull: list[dict[str, Any]] = Field(max_length=0)
    work_pools: list[WorkPool]
    deployments: list[Deployment] = Field(min_length=1)


class Automation(BaseModel):
    """Who is told of what: an automation in Prefect's schema, checked by Prefect when it is registered."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    actions: list[dict[str, Any]] = Field(min_length=1)

    @field_validator("name")
    @classmethod
    def _ours(cls, name: str) -> str:
        if not name.startswith(PREFIX):
            raise ValueError(f"must begin with {PREFIX!r}, or nobody would know the automation for ours")
        return name


class _AutomationsFile(_Strict):
    automations: list[Automation]


@dataclass(frozen=True, slots=True)
class Declaration:
    """All that a server is to hold.

    Attributes:
        folder: Where it is from.
        work_pools: The work pools.
        deployments: The deployments.
        automations: The automations.
    """

    folder: Path
    work_pools: tuple[WorkPool, ...]
    deployments: tuple[Deployment, ...]
    automations: tuple[Automation, ...]


def read_declaration(folder: Path = SHIPPED) -> Declaration:
    """Read the files in `folder`.

    Raises:
        SettingsError: One of them is missing, no YAML, or says what it cannot; the message names file and place.
    """
    prefect = _read(folder / "prefect.yaml", _PrefectFile)
    automations = _read(folder / "automations.yaml", _AutomationsFile).automations
    _refuse_twice(folder / "prefect.yaml", [f"{one.entrypoint} as {one.name}" for one in prefect.deployments])
    _refuse_twice(folder / "automations.yaml", [one.name for one in automations])
    return Declaration(folder, tuple(prefect.work_pools), tuple(prefect.deployments), tuple(automations))


def _read(path: Path, kind: type[M]) -> M:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}).") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is no YAML: {' '.join(str(error).split())}") from None
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        problems = [f"{path}: {explain(problem, content)}" for problem in error.errors(include_url=False)]
        raise SettingsError("\n".join(problems)) from None


def explain(problem: Any, content: Any) -> str:
    """Say where in a file something is wrong, with names in the place of numbers, and what.

    >>> explain({"loc": ("deployments", 0, "tag"), "msg": "Unknown"}, {"deployments": [{"name": "hourly"}]})
    'deployments.hourly.tag: Unknown'
    """
    place = []
    for step in problem["loc"]:
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):
            content = None
        named = isinstance(step, int) and isinstance(content, dict) and "name" in content
        place.append(str(content["name"] if named and content is not None else step))
    return f"{'.'.join(place)}: {problem['msg'].removeprefix('Value error, ')}"


def _refuse_twice(path: Path, names: Iterable[str]) -> None:
    given = list(names)
    if twice := sorted({name for name in given if given.count(name) > 1}):
        raise SettingsError(f"{path}: has {json.dumps(twice)[1:-1]} more than once.")
