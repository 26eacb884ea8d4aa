"""Automations: what a server shall hold of them, and what makes it so.

An action that names the notification block becomes one for each block there is.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from prefect.events.schemas.automations import AutomationCore
from pydantic import BaseModel, RootModel, ValidationError

from deployments.blocks import BLOCK
from deployments.changes import Change, Plan, differences
from deployments.declared import PREFIX, explain
from deployments.deleting import delete
from onc_mirror.errors import SettingsError
from onc_mirror.settings import RUNBOOK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import Automation as Present

    from deployments.declared import Automation

_PAGE = 200


def desired_automations(
    declared: Iterable[Automation], block_ids: Sequence[UUID], *, runbook: str = RUNBOOK
) -> list[AutomationCore]:
    """What a server shall hold of the declared automations; without any blocks only those that need none.

    Args:
        declared: What is declared.
        block_ids: The blocks to speak through.
        runbook: What messages name in the place of `docs/runbook.md`.

    Raises:
        SettingsError: One is none by Prefect's schema, or has a key that Prefect does not know.
    """
    made = []
    for one in declared:
        content = one.model_dump()
        content["actions"] = [
            {**each, "body": each["body"].replace(RUNBOOK, runbook)} if "body" in each else each
            for action in content["actions"]
            for each in _spoken(one.name, action, block_ids)
        ]
        try:
            automation = AutomationCore.model_validate(content)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            raise SettingsError(f"automations.{one.name}.{explain(problem, content)}") from None
        if unknown := sorted(_unknown(content, automation)):
            raise SettingsError(f"automations.{one.name}: Prefect knows no {', '.join(unknown)} there.")
        if automation.actions:
            made.append(automation)
    return made


def _spoken(name: str, action: dict[str, Any], block_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    if "block" not in action:
        return [action]
    if action["block"] != BLOCK:
        raise SettingsError(f"automations.{name}: names the block {action['block']!r}, and there is only {BLOCK!r}.")
    rest = {key: value for key, value in action.items() if key != "block"}
    return [{**rest, "block_document_id": one} for one in block_ids]


def _unknown(content: Any, made: Any) -> set[str]:
    """Keys that Prefect has passed over."""
    if isinstance(content, list):
        return set().union(*(_unknown(*pair) for pair in zip(content, made, strict=True)))
    if not isinstance(content, dict) or not isinstance(made, BaseModel) or isinstance(made, RootModel):
        return set()
    fields = type(made).model_fields
    nested = (_unknown(value, getattr(made, key)) for key, value in content.items() if key in fields)
    return (set(content) - set(fields)).union(*nested)


def plan_automations(client: SyncPrefectClient, declared: Sequence[AutomationCore]) -> Plan:
    """Say which of our automations are to be made, changed or deleted."""
    present: dict[str, list[Present]] = {}
    for found in _all(client):
        if found.name.startswith(PREFIX):
            present.setdefault(found.name, []).append(found)
    changes = []
    for one in declared:
        kept = next(iter(present.get(one.name, [])), None)
        present[one.name] = present.get(one.name, [])[1:]
        if kept is None:
            changes.append(Change("automation", one.name, "create", partial(client.create_automation, one)))
        elif differing := differences(one.model_dump(exclude={"enabled"}), kept.model_dump()):
            apply = partial(client.update_automation, kept.id, one.model_copy(update={"enabled": kept.enabled}))
            changes.append(Change("automation", one.name, "update", apply, differing))
    unchanged = len(declared) - len(changes)
    for name, surplus in present.items():
        changes.extend(
            Change("automation", name, "delete", partial(delete, client.delete_automation, found.id))
            for found in surplus
        )
    return Plan(tuple(changes), unchanged)


def _all(client: SyncPrefectClient) -> list[Present]:
    found: list[Present] = []
    while True:
        page = client.read_automations(limit=_PAGE, offset=len(found))
        found += page
        if len(page) < _PAGE:
            return found
