"""The slow retries of one step: transient failures only, increasing delays with jitter. Decided by type alone.

Quick repeats of a single request live in the archive client. This module is the policy for runs without an
orchestrator. The orchestrated flow gives the same delays to its tasks; Prefect draws its jitter to both sides.

Every wait is told at its begin, as a warning of this module's logger with the `Retry` in the record's `retry`: who
watches must not wonder for minutes what goes on.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import stamina

from onc_mirror.errors import (
    LedgerUnavailableError,
    MirrorError,
    StoreUnavailableError,
    TransientError,
    UnreachableError,
)
from onc_mirror.repeats import tell_of_repeat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

logger = logging.getLogger(__name__)

JITTER = 1 / 3
LONGEST_ASKED_WAIT_S = 900.0


@dataclass(frozen=True, slots=True)
class Retry:
    """A failed attempt that is going to be repeated.

    Attributes:
        error: What failed.
        wait_s: Seconds until the next attempt.
        what: What is tried again, such as `listing of TUMLIDAR001`; empty: the file or device of the error.
        attempt: Number of the next attempt, from 2.
        attempts: How many there are at most.
    """

    error: TransientError
    wait_s: float
    attempt: int
    attempts: int
    what: str = ""

    @property
    def concerns_all(self) -> bool:
        """Whether it is not about one file or device: the archive cannot be reached for any."""
        return isinstance(self.error, UnreachableError)

    @property
    def cause(self) -> str:
        """What failed, for people; without what it was."""
        if self.concerns_all:
            return str(self.error.args[0])
        return str(self.error).removeprefix(f"{self.error.subject}: ")

    @property
    def subject(self) -> str:
        """What is tried again; of many at once, none."""
        if isinstance(self.error, LedgerUnavailableError):
            return "the ledger"
        return "connection to the archive" if self.concerns_all else self.what or self.error.subject or "a step"

    @property
    def sentence(self) -> str:
        """All of it, for people."""
        again = f"Trying again in {self.wait_s:.0f} s (attempt {self.attempt} of {self.attempts})."
        return f"{self.subject}: {self.cause} {again}"


class OncePerEvent(logging.Filter):
    """Lets pass one of the same warnings that all threads give when the archive goes out of their reach at once.

    The same: what concerns all, with the same reason at the same attempt, within the wait of the one that passed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._told_until: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether `record` is news."""
        retry = getattr(record, "retry", None)
        if not isinstance(retry, Retry) or not retry.concerns_all:
            return True
        event, now = (retry.error.reason, retry.attempt), time.monotonic()
        with self._lock:
            is_news = now >= self._told_until.get(event, 0.0)
            if is_news:
                self._told_until[event] = now + retry.wait_s
        return is_news


logger.addFilter(OncePerEvent())


def announce(retry: Retry) -> None:
    """Tell that something is going to be tried again: the log once per event, whoever counts repeats each time."""
    tell_of_repeat(retry.error)
    logger.warning(
        "retry_in_s=%.0f of=%r attempt=%d attempts=%d reason=%s detail=%r",
        retry.wait_s,
        retry.subject,
        retry.attempt,
        retry.attempts,
        retry.error.reason,
        retry.cause,
        extra={"retry": retry},
    )


def asked_wait_s(error: BaseException | None) -> float:
    """Seconds that the other side asked us to wait (Retry-After), bounded; 0 when it did not ask."""
    asked = error.retry_after_s if isinstance(error, MirrorError) else None
    return min(asked or 0.0, LONGEST_ASKED_WAIT_S)


class Patience:
    """What the files of a batch have left of it: an outage that one has waited out in vain, the others try once.

    Without it an archive or a store that goes down costs every file its slow retries, one after the other. What comes
    through again gives it back. Thread-safe.
    """

    def __init__(self) -> None:
        self._lasting: frozenset[str] = frozenset()

    def has_ended(self, error: Exception) -> bool:
        """Say whether one has waited in vain for this to pass."""
        return isinstance(error, MirrorError) and error.reason in self._lasting

    def end(self, error: MirrorError) -> None:
        """A file has failed for good; nobody else waits when that was an outage of all."""
        if isinstance(error, UnreachableError | StoreUnavailableError):
            self._lasting |= {error.reason}

    def renew(self) -> None:
        """A file came through."""
        self._lasting = frozenset()


def with_retries(
    call: Callable[[], T], delays_s: Sequence[float], what: str = "", *, patience: Patience | None = None
) -> T:
    """Call `call` until it succeeds, at most once more than there are delays.

    Args:
        call: What to do; its `TransientError`s are retried, everything else passes through at once.
        delays_s: Seconds before the second, third, ... attempt; each is stretched by up to a third so that
            many files do not come back at the same moment, and never shorter than a Retry-After.
        what: What that is, as for `Retry`.
        patience: Of the files that it is done for; where it has ended, `call` is called once.

    Raises:
        MirrorError: The last attempt's.
    """
    left = iter(enumerate(delays_s, start=2))

    def wait(error: Exception) -> bool | float:
        if not isinstance(error, TransientError) or (patience is not None and patience.has_ended(error)):
            return False
        if (step := next(left, None)) is None:
            return False
        attempt, delay_s = step
        stretched = delay_s * (1 + random.uniform(0, JITTER))  # noqa: S311 - no secret hangs on it
        wait_s = max(stretched, asked_wait_s(error))
        announce(Retry(error, wait_s, attempt, len(delays_s) + 1, what))
        return wait_s

    for attempt in stamina.retry_context(on=wait, attempts=len(delays_s) + 1, timeout=None):
        with attempt:
            return call()
    raise AssertionError("stamina yields at least one attempt")  # pragma: no cover - cannot be
