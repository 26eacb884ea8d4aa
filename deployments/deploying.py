"""Making a Prefect server hold what is declared, step by step: what stands on the one before comes after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect.events import Event, RelatedResource, Resource

from deployments.automations import desired_automations, plan_automations
from deployments.blocks import NOT_YET, desired_blocks, plan_blocks
from deployments.declared import TAG
from deployments.registering import desired, plan_deployments, plan_work_pools
from deployments.server import connected, server_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prefect.client.orchestration import SyncPrefectClient

    from deployments.changes import Change, Plan
    from deployments.declared import Declaration
    from deployments.registering import Desired
    from onc_mirror.settings import AlertSettings

DEPLOYED = "onc-mirror.deployed"
"""What is emitted for each deployment when automations are new or changed: for them it begins with this."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """How a server stands after a deploy, or before one that was only tried.

    Attributes:
        server: Its URL.
        changes: What was done, or would be.
        unchanged: How many things were as declared.
        notes: What else people should know.
    """

    server: str
    changes: tuple[Change, ...]
    unchanged: int
    notes: tuple[str, ...]


def deploy(declaration: Declaration, settings: AlertSettings, *, dry_run: bool) -> Deployed:
    """Make the server of PREFECT_API_URL hold what is declared. It may be interrupted, and repeated, at any point.

    Args:
        declaration: What is declared.
        settings: Who is told.
        dry_run: Look only.

    Raises:
        SettingsError: The declaration or a setting cannot be used, or the server does not let us in. Of the first
            nothing was done.
        ServerUnreachableError: The server does not answer.
        ServerRefusedError: The server refuses something.
    """
    url = server_url()
    deployments = [desired(one) for one in declaration.deployments]
    blocks = desired_blocks(settings)
    desired_automations(declaration.automations, [NOT_YET])
    plans: list[Plan] = []

    def done(plan: Plan) -> Plan:
        plans.append(plan)
        for change in () if dry_run else plan.changes:
            change.apply()
        return plan

    with connected() as client:
        done(plan_work_pools(client, declaration.work_pools))
        receivers = plan_blocks(client, blocks)
        done(receivers.plan)
        done(plan_deployments(client, deployments))
        ids = list((receivers if dry_run else plan_blocks(client, blocks)).ids.values())
        automations = done(plan_automations(client, desired_automations(declaration.automations, ids)))
        done(receivers.surplus)
        if automations.changes and not dry_run:
            _announce(client, deployments)
    return Deployed(
        url,
        tuple(change for plan in plans for change in plan.changes),
        sum(plan.unchanged for plan in plans),
        tuple(note for plan in plans for note in plan.notes),
    )


def _announce(client: SyncPrefectClient, declared: Sequence[Desired]) -> None:
    events = [_event(client, one).model_dump(mode="json") for one in declared]
    client.request("POST", "/events", json=events)


def _event(client: SyncPrefectClient, one: Desired) -> Event:
    found = client.read_deployment_by_name(one.full_name)
    related: list[dict[str, Any]] = [
        {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"},
        {
            "prefect.resource.role": "flow",
            "prefect.resource.id": f"prefect.flow.{found.flow_id}",
            "prefect.resource.name": one.flow_name,
        },
        {
            "prefect.resource.role": "deployment",
            "prefect.resource.id": f"prefect.deployment.{found.id}",
            "prefect.resource.name": one.name,
        },
    ]
    return Event(
        event=DEPLOYED,
        resource=Resource({"prefect.resource.id": f"onc-mirror.deployment.{found.id}"}),
        related=[RelatedResource(each) for each in related],
    )
