"""The slow retries of one step: transient failures only, increasing delays with jitter. Decided by type alone.

Quick repeats of a single request live in the archive client. This module is the policy for runs without an
orchestrator. The orchestrated flow gives the same delays to its tasks; Prefect draws its jitter to both sides.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

import stamina

from onc_mirror.errors import MirrorError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

JITTER = 1 / 3
LONGEST_ASKED_WAIT_S = 900.0


def asked_wait_s(error: BaseException | None) -> float:
    """Seconds that the other side asked us to wait (Retry-After), bounded; 0 when it did not ask."""
    asked = error.retry_after_s if isinstance(error, MirrorError) else None
    return min(asked or 0.0, LONGEST_ASKED_WAIT_S)


def with_retries(call: Callable[[], T], delays_s: Sequence[float]) -> T:
    """Call `call` until it succeeds, at most once more than there are delays.

    Args:
        call: What to do; its `TransientError`s are retried, everything else passes through at once.
        delays_s: Seconds before the second, third, ... attempt; each is stretched by up to a third so that
            many files do not come back at the same moment, and never shorter than a Retry-After.

    Raises:
        MirrorError: The last attempt's.
    """
    left = iter(delays_s)

    def wait(error: Exception) -> bool | float:
        if not isinstance(error, TransientError):
            return False
        stretched = next(left, 0.0) * (1 + random.uniform(0, JITTER))  # noqa: S311 - no secret hangs on it
        return max(stretched, asked_wait_s(error))

    for attempt in stamina.retry_context(on=wait, attempts=len(delays_s) + 1, timeout=None):
        with attempt:
            return call()
    raise AssertionError("stamina yields at least one attempt")  # pragma: no cover
