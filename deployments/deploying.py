"""Making a Prefect server hold what is declared, step by step: what stands on the one before comes after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployments.announcing import announce
from deployments.automations import desired_automations, plan_automations
from deployments.blocks import NOT_YET, desired_blocks, plan_blocks
from deployments.registering import desired, plan_deployments, plan_work_pools
from deployments.server import connected, server_url

if TYPE_CHECKING:
    from deployments.changes import Change, Plan
    from deployments.declared import Declaration
    from onc_mirror.settings import AlertSettings

_UNHEARD = (
    "The automations have not heard of the deploy, so a failure may not be told until a run has succeeded. Do the"
    " services of the Prefect server run? `prefect server start` has them; beside --no-services it is"
    " `prefect server services start`. Then deploy once more."
)


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
        wanted = desired_automations(declaration.automations, ids, runbook=settings.runbook)
        automations = done(plan_automations(client, wanted))
        done(receivers.surplus)
        is_heard = dry_run or not automations.changes or announce(client, deployments)
    return Deployed(
        url,
        tuple(change for plan in plans for change in plan.changes),
        sum(plan.unchanged for plan in plans),
        (*(note for plan in plans for note in plan.notes), *(() if is_heard else (_UNHEARD,))),
    )
