"""Telling the automations of a server that our deployments are there, and knowing that they have heard it.

A server takes up new automations some time after it has said that they are made: a moment on SQLite, when PostgreSQL
tells the services, or after five seconds (Prefect 3.8.8). What happens before, nobody hears. So an automation is made
after all others that pauses itself, and the events are sent until it has: an event is taken after the one that it
follows, so the automations before it have heard all of them then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prefect.events import Event, RelatedResource, Resource
from prefect.events.actions import PauseAutomation
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound

from deployments.declared import PREFIX, TAG
from deployments.deleting import delete

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient

    from deployments.registering import Desired

DEPLOYED = "onc-mirror.deployed"
"""What is emitted for each deployment when automations are new or changed: for them it begins with this."""

WAIT_S = 60.0
_AGAIN_S = 6.0
"""A server that nobody tells of new automations looks for them every five seconds."""

_POLL_S = 0.2

# The first letter keeps it from being watched for messages that are not delivered; see automations.yaml.
_LISTENER = f"{PREFIX}ends a deploy"
_ALL_SAID = "onc-mirror.all-deployed"


def announce(client: SyncPrefectClient, declared: Sequence[Desired], *, wait_s: float = WAIT_S) -> bool:
    """Emit `DEPLOYED` for each of the deployments.

    Returns:
        Whether the automations have heard it within `wait_s` seconds; if not, nothing acts on automations there now.
    """
    found = [(one, client.read_deployment_by_name(one.full_name)) for one in declared]
    related = [(f"onc-mirror.deployment.{each.id}", _related(one, each.flow_id, each.id)) for one, each in found]
    listener = _make_listener(client)
    end = time.monotonic() + wait_s
    while True:
        client.request("POST", "/events", json=_chain([*related, (f"prefect.automation.{listener}", [])]))
        again = min(end, time.monotonic() + _AGAIN_S)
        while time.monotonic() < again:
            if not _is_enabled(client, listener) or _has_fired(client, listener):
                delete(client.delete_automation, listener)
                return True
            time.sleep(_POLL_S)
        if time.monotonic() >= end:
            return False


def _make_listener(client: SyncPrefectClient) -> UUID:
    """Make an automation that pauses itself when everything is said.

    One that is left, because nobody has heard or the deploy was killed, the next deploy deletes, and so announces.
    """
    trigger = EventTrigger(expect={_ALL_SAID}, posture=Posture.Reactive, threshold=1)
    pausing = PauseAutomation(source="inferred", automation_id=None)
    return client.create_automation(AutomationCore(name=_LISTENER, trigger=trigger, actions=[pausing]))


def _is_enabled(client: SyncPrefectClient, listener: UUID) -> bool:
    try:
        found = client.read_automation(listener)
    except ObjectNotFound:
        return False  # another deploy has deleted it, and announces the same
    return found is not None and found.enabled


def _has_fired(client: SyncPrefectClient, listener: UUID) -> bool:
    """Whether it is known that it has acted: on a server with a password it does, and is not let in to pause itself.

    Prefect 3.8.8, `PrefectServerEventsAPIClient`: the only one of the server's own clients without the password.
    """
    wanted = {
        "resource": {"id": [f"prefect.automation.{listener}"]},
        "event": {"name": ["prefect.automation.triggered"]},
    }
    found = client.request("POST", "/events/filter", json={"filter": wanted, "limit": 1})
    return bool(found.json()["events"])


def _chain(said: Sequence[tuple[str, list[RelatedResource]]]) -> list[dict[str, Any]]:
    """Make events of resources; each follows the one before, the last says that this is all."""
    events: list[Event] = []
    for number, (resource, related) in enumerate(said, start=1):
        events.append(
            Event(
                event=DEPLOYED if number < len(said) else _ALL_SAID,
                resource=Resource({"prefect.resource.id": resource}),
                related=related,
                follows=events[-1].id if events else None,
            )
        )
    return [one.model_dump(mode="json") for one in events]


def _related(one: Desired, flow_id: UUID, deployment_id: UUID) -> list[RelatedResource]:
    return [
        RelatedResource({"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"}),
        RelatedResource(
            {
                "prefect.resource.role": "flow",
                "prefect.resource.id": f"prefect.flow.{flow_id}",
                "prefect.resource.name": one.flow_name,
            }
        ),
        RelatedResource(
            {
                "prefect.resource.role": "deployment",
                "prefect.resource.id": f"prefect.deployment.{deployment_id}",
                "prefect.resource.name": one.name,
            }
        ),
    ]
