"""Keeping a run's leases alive while it works, in a thread of its own."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from onc_mirror.errors import MirrorError
from onc_mirror.threads import repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

    from onc_mirror.ledger import Ledger

logger = logging.getLogger(__name__)

BEATS_PER_LEASE = 3


@contextmanager
def beating(
    ledger: Ledger,
    owner: str,
    lease: timedelta,
    clock: Callable[[], datetime],
    also: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Renew all that `owner` has until the block ends, then end it.

    A beat that the ledger does not take is logged and the next one tried. Should the leases end meanwhile, or this
    process be suspended past them, another run may take the files over: `fencing` sees to it that this one then
    changes nothing of them in the store, and `Ledger.claims` that it enters nothing over what the other did. So the
    worst is that a file is downloaded twice.

    Args:
        ledger: Where the leases are.
        owner: The run.
        lease: How long what it has is its own after a beat.
        clock: Says what time it is, UTC.
        also: What else is done at each beat; it must not raise.
    """

    def beat() -> None:
        try:
            ledger.leases.renew(owner, clock() + lease)
        except MirrorError as error:
            logger.warning("run=%s lease=not-renewed detail=%r", owner, str(error))
        if also is not None:
            also()

    try:
        with repeating(beat, lease.total_seconds() / BEATS_PER_LEASE, "heartbeat"):
            yield
    finally:
        try:
            ledger.leases.release(owner)
        except MirrorError as error:
            logger.warning("run=%s lease=not-released detail=%r", owner, str(error))
