"""The notification blocks that automations speak through.

The addresses of those who are told come from the settings ONC_MIRROR_ALERT_WEBHOOK and ONC_MIRROR_ALERT_URLS, go to
the server as secrets of blocks, which it keeps encrypted, and are shown nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.exceptions import ObjectNotFound
from pydantic import SecretStr

from deployments.changes import Change, Difference, Plan, differences
from deployments.deleting import delete
from onc_mirror.redacting import MASK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prefect.blocks.abstract import NotificationBlock
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import BlockDocument

    from onc_mirror.settings import AlertSettings

BLOCK = "onc-mirror-alerts"
"""Name of the blocks; one of each type."""

NOT_YET = UUID(int=0)
"""Stands for the id of a block that is still to be made."""

_KINDS: tuple[type[NotificationBlock], ...] = (CustomWebhookNotificationBlock, SlackWebhook)


@dataclass(frozen=True, slots=True)
class Receivers:
    """The blocks on the server.

    Attributes:
        plan: What is to be done about them before the automations.
        ids: Those that there are then, by type; `NOT_YET` for one that is still to be made.
        surplus: What is to be deleted after the automations, which speak through others then.
    """

    plan: Plan
    ids: Mapping[str, UUID]
    surplus: Plan


def desired_blocks(settings: AlertSettings) -> list[NotificationBlock]:
    """The blocks that the settings ask for."""
    blocks: list[NotificationBlock] = []
    if settings.alert_webhook is not None:
        blocks.append(
            CustomWebhookNotificationBlock.model_validate(
                {
                    "name": BLOCK,
                    "url": "{{webhook}}",
                    # The keys of what the mirror itself posts there; see onc_mirror.alerts.words.
                    "json_data": {"kind": "prefect", "title": "{{subject}}", "text": "{{body}}"},
                    "secrets": {"webhook": settings.alert_webhook.get_secret_value()},
                }
            )
        )
    if settings.alert_addresses:
        # Of all of Prefect's blocks this one takes what Apprise takes, several addresses too.
        blocks.append(SlackWebhook(url=SecretStr(", ".join(map(_in_lines, settings.alert_addresses)))))
    return blocks


def _in_lines(address: str) -> str:
    """Ask for mails as plain text: Prefect does not say that its messages are, and as HTML they have no lines."""
    if not address.lower().startswith(("mailto://", "mailtos://")) or "format=" in address:
        return address
    return f"{address}{'&' if '?' in address else '?'}format=text"


def plan_blocks(client: SyncPrefectClient, blocks: Sequence[NotificationBlock]) -> Receivers:
    """Say which blocks are to be made, changed or deleted; none while the settings ask for none."""
    present = {
        slug: found for kind in _KINDS if (found := _present(client, slug := kind.get_block_type_slug())) is not None
    }
    if not blocks:
        ids = {slug: one.id for slug, one in present.items()}
        return Receivers(Plan((), len(present), _silence(present)), ids, Plan((), 0))
    changes, ids = [], {}
    for block in blocks:
        slug = block.get_block_type_slug()
        found = present.pop(slug, None)
        ids[slug] = found.id if found is not None else NOT_YET
        apply = partial(block.save, BLOCK, overwrite=True)
        if found is None:
            changes.append(Change("block", f"{slug}/{BLOCK}", "create", apply))
        elif differing := differences(_content(block), found.data):
            masked = tuple(Difference(one.field, MASK, MASK) for one in differing)
            changes.append(Change("block", f"{slug}/{BLOCK}", "update", apply, masked))
    surplus = [
        Change("block", f"{slug}/{BLOCK}", "delete", partial(delete, client.delete_block_document, found.id))
        for slug, found in present.items()
    ]
    return Receivers(Plan(tuple(changes), len(blocks) - len(changes)), ids, Plan(tuple(surplus), 0))


def _present(client: SyncPrefectClient, slug: str) -> BlockDocument | None:
    try:
        return client.read_block_document_by_name(BLOCK, slug)
    except ObjectNotFound:
        return None


def _silence(present: Mapping[str, object]) -> tuple[str, ...]:
    if present:
        return ("Neither ONC_MIRROR_ALERT_WEBHOOK nor ONC_MIRROR_ALERT_URLS is set: who is told stays as it is.",)
    return ("Prefect tells nobody of anything: neither ONC_MIRROR_ALERT_WEBHOOK nor ONC_MIRROR_ALERT_URLS is set.",)


def _content(block: NotificationBlock) -> dict[str, Any]:
    plain = block.model_dump(mode="json", context={"include_secrets": True}, exclude_unset=True)
    return {name: value for name, value in plain.items() if name in type(block).model_fields}
