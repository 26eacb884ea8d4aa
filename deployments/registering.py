"""Work pools and deployments: how they stand on a server, and what makes them as declared.

What the files say is made so. What they do not speak of is the operator's: a paused schedule stays paused, and a work
pool that is there stays as it is, of whatever type.

Not by Prefect's `RunnerDeployment.apply`: it writes each time, takes the checked-out commit for the version, and
leaves a schedule alone that was removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentScheduleUpdate,
    DeploymentUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import ConcurrencyOptions
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.flows import Flow, load_flow_from_entrypoint
from pydantic import ValidationError

from deployments.changes import Change, Plan, differences
from deployments.declared import TAG
from deployments.deleting import delete
from onc_mirror.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

    from deployments.declared import Deployment, WorkPool

DEPLOYMENT = "deployment"
WORK_POOL = "work pool"


@dataclass(frozen=True, slots=True)
class Desired:
    """A deployment as the server shall hold it.

    Attributes:
        flow_name: Name of its flow.
        name: Its own.
        fields: Its fields, as Prefect calls them.
        schedules: Its schedules by slug.
    """

    flow_name: str
    name: str
    fields: dict[str, Any]
    schedules: dict[str, dict[str, Any]]

    @property
    def full_name(self) -> str:
        """What people call it."""
        return f"{self.flow_name}/{self.name}"


def desired(one: Deployment) -> Desired:
    """Work out what a server shall hold of a declared deployment; that takes its flow, for the schema.

    Raises:
        SettingsError: The flow cannot be loaded, or a schedule is none.
    """
    try:
        flow: Flow[..., Any] = load_flow_from_entrypoint(one.entrypoint, use_placeholder_flow=False)
    except Exception as error:  # noqa: BLE001 - a module may raise anything when it is imported
        raise SettingsError(
            f"deployments.{one.name}.entrypoint: {one.entrypoint} is no flow that can be loaded:"
            f" {type(error).__name__}: {error}"
        ) from None
    limit = one.concurrency_limit
    fields: dict[str, Any] = {
        "entrypoint": one.entrypoint,
        "path": None,
        "pull_steps": [],
        "version": version("onc-mirror"),
        "description": one.description,
        "tags": sorted(one.tags),
        "parameters": one.parameters,
        # A misspelt parameter is refused before there is a run, and not by the run.
        "parameter_openapi_schema": {**flow.parameters.model_dump_for_openapi(), "additionalProperties": False},
        "enforce_parameter_schema": True,
        "work_pool_name": one.work_pool.name,
        "concurrency_limit": limit.limit if limit else None,
        "concurrency_options": {"collision_strategy": limit.collision_strategy} if limit else None,
    }
    if one.work_pool.job_variables is not None:
        fields["job_variables"] = one.work_pool.job_variables
    return Desired(flow.name, one.name, fields, _schedules(one))


def _schedules(one: Deployment) -> dict[str, dict[str, Any]]:
    try:
        return {
            each.slug: {
                "schedule": CronSchedule(cron=each.cron, timezone=each.timezone).model_dump(mode="json"),
                "parameters": each.parameters,
            }
            for each in one.schedules
        }
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise SettingsError(f"deployments.{one.name}.schedules: {problem['msg']}") from None


def plan_work_pools(client: SyncPrefectClient, declared: Iterable[WorkPool]) -> Plan:
    """Say which work pools are missing."""
    missing, notes = [], []
    pools = list(declared)
    for one in pools:
        try:
            found = client.read_work_pool(one.name)
        except ObjectNotFound:
            missing.append(Change(WORK_POOL, one.name, "create", partial(_create_pool, client, one)))
            continue
        if found.type != one.type:
            notes.append(f"The work pool {one.name} is of type {found.type} and stays so.")
    return Plan(tuple(missing), len(pools) - len(missing), tuple(notes))


def _create_pool(client: SyncPrefectClient, one: WorkPool) -> None:
    try:
        client.create_work_pool(WorkPoolCreate(name=one.name, type=one.type, description=one.description))
    except ObjectAlreadyExists:
        return  # a worker that started meanwhile has made it


def plan_deployments(client: SyncPrefectClient, declared: Sequence[Desired]) -> Plan:
    """Say which of our deployments are to be made, changed or deleted."""
    tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    present = {_full_name(client, one): one for one in client.read_deployments(deployment_filter=tagged)}
    changes: list[Change] = []
    notes: list[str] = []
    for one in declared:
        found = present.pop(one.full_name, None) or _untagged(client, one)
        notes += _paused(one, found)
        if found is None:
            changes.append(Change(DEPLOYMENT, one.full_name, "create", partial(_create, client, one)))
        elif differing := differences(*_comparable(one, found)):
            changes.append(
                Change(DEPLOYMENT, one.full_name, "update", partial(_update, client, one, found), differing)
            )
    unchanged = len(declared) - len(changes)
    for name, found in present.items():
        changes.append(Change(DEPLOYMENT, name, "delete", partial(delete, client.delete_deployment, found.id)))
    return Plan(tuple(changes), unchanged, tuple(notes))


def _paused(one: Desired, found: DeploymentResponse | None) -> Iterator[str]:
    """Say which schedules an operator has paused: nobody else would, until there was no success for hours."""
    for each in found.schedules if found else ():
        if not each.active and each.slug in one.schedules:
            yield (
                f"The schedule {each.slug} of {one.full_name} is paused and stays so: no run starts by itself until"
                " it is resumed (docs/runbook.md#no-success)."
            )


def _untagged(client: SyncPrefectClient, one: Desired) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(one.full_name)
    except ObjectNotFound:
        return None


def _full_name(client: SyncPrefectClient, found: DeploymentResponse) -> str:
    return f"{client.read_flow(found.flow_id).name}/{found.name}"


def _comparable(one: Desired, found: DeploymentResponse) -> tuple[dict[str, Any], dict[str, Any]]:
    limit = found.global_concurrency_limit
    present = found.model_dump(mode="json", include=set(one.fields))
    present |= {
        "tags": sorted(found.tags),
        "pull_steps": found.pull_steps or [],
        "concurrency_limit": limit.limit if limit else None,
        "concurrency_options": _options(found) if limit else None,
        "schedules": {
            each.slug or str(each.id): {
                "schedule": each.schedule.model_dump(mode="json"),
                "parameters": each.parameters,
            }
            for each in found.schedules
        },
    }
    return {**one.fields, "schedules": one.schedules}, present


def _options(found: DeploymentResponse) -> dict[str, Any] | None:
    options = found.concurrency_options
    return options.model_dump(mode="json", exclude_none=True) if options else None


def _create(client: SyncPrefectClient, one: Desired) -> None:
    options = one.fields["concurrency_options"]
    client.create_deployment(
        client.create_flow_from_name(one.flow_name),
        one.name,
        **{**one.fields, "concurrency_options": ConcurrencyOptions(**options) if options else None},
        schedules=[DeploymentScheduleCreate(slug=slug, **fields) for slug, fields in one.schedules.items()],
    )


def _update(client: SyncPrefectClient, one: Desired, found: DeploymentResponse) -> None:
    active = {each.slug: each.active for each in found.schedules}
    for each in found.schedules:
        if each.slug not in one.schedules:
            client.delete_deployment_schedule(found.id, each.id)
    schedules = [
        DeploymentScheduleUpdate(slug=slug, active=active.get(slug, True), **fields)
        for slug, fields in one.schedules.items()
    ]
    client.update_deployment(found.id, DeploymentUpdate(**one.fields, schedules=schedules))
