"""An event does not wait for long for one that never comes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prefect.server.events.ordering import EventArrivedEarly
from prefect.server.events.schemas.events import ReceivedEvent

from deployments.ordering import PATIENCE, CausalOrdering


def event(age: timedelta = timedelta(0), follows: UUID | None = None) -> ReceivedEvent:
    at = datetime.now(UTC) - age
    resource = {"prefect.resource.id": "prefect.flow-run.1"}
    fields = {"id": uuid4(), "event": "prefect.flow-run.Failed", "occurred": at, "received": at, "follows": follows}
    return ReceivedEvent.model_validate({**fields, "resource": resource})


def test_an_event_waits_for_the_one_before_it_until_the_patience_is_over() -> None:
    asyncio.run(wait())


async def wait() -> None:
    ordering = CausalOrdering(scope=uuid4().hex)
    young, old, later = event(follows=uuid4()), event(PATIENCE, follows=uuid4()), event(PATIENCE / 2, follows=uuid4())
    with pytest.raises(EventArrivedEarly):
        await ordering.wait_for_leader(young)
    await ordering.wait_for_leader(old)
    for one in (later, old):
        await ordering.record_follower(one)

    assert await ordering.get_lost_followers() == [old]
    assert await ordering.get_lost_followers() == []
    assert await ordering.get_followers(event().model_copy(update={"id": later.follows})) == [later]


def test_an_event_is_taken_at_once_after_the_one_before_it() -> None:
    asyncio.run(follow())


async def follow() -> None:
    ordering = CausalOrdering(scope=uuid4().hex)
    first = event()
    await ordering.record_event_as_seen(first)

    await ordering.wait_for_leader(event(follows=first.id))
