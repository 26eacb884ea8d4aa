"""In which order a Prefect server takes events, for PREFECT_SERVER_EVENTS_CAUSAL_ORDERING=deployments.ordering.

By Prefect's own an event waits for the one before it, for 15 minutes when that never comes. So it is of a run
that the scheduler has made, which emits no event, and after a restart of the server, which forgets what it has seen:
what became of such a run would be told 15 minutes late (Prefect 3.8.8). Here an event waits for `PATIENCE`.

That is safe where one process has the services of the server, and events come to it in the order in which they
happen; half a minute is long also for one that is busy. `prefect_redis.ordering` remembers over a restart what was
seen. See docs/decisions/0020-events-of-prefect-are-heard-in-time.md.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from prefect.server.events.ordering import memory

if TYPE_CHECKING:
    from prefect.server.events.schemas.events import ReceivedEvent

PATIENCE = timedelta(seconds=30)
"""How long an event waits for one that has not been seen."""


class CausalOrdering(memory.CausalOrdering):
    """What Prefect looks for in the module, by this name."""

    async def wait_for_leader(self, event: ReceivedEvent) -> None:
        """Return when the event may be taken now.

        Raises:
            EventArrivedEarly: It has to wait.
        """
        if event.received > datetime.now(UTC) - PATIENCE:
            await super().wait_for_leader(event)

    async def get_lost_followers(self) -> list[ReceivedEvent]:
        """Give the events that have waited long enough, in the order in which they occurred."""
        latest = datetime.now(UTC) - PATIENCE
        async with self._lock:
            late = [event for event in self._events.values() if event.received <= latest]
        for event in late:
            await self.forget_follower(event)
        return sorted(late, key=lambda event: event.occurred)
