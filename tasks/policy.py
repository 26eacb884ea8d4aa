"""What every task of the mirror has in common: what is retried, and that no secret leaves in an exception.

Prefect writes the text of exceptions into states, events, logs and alerts, so it must be clean before Prefect
sees it. Domain errors are clean by construction; anything else is named and cleaned here. The log filter of
`deployments/logging.yml` is the second defence.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from prefect.cache_policies import NO_CACHE

from onc_mirror.errors import MirrorError, TransientError
from onc_mirror.faults import named
from onc_mirror.retrying import JITTER, Patience, Retry, announce, asked_wait_s

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prefect import State, Task
    from prefect.client.schemas.objects import TaskRun

P = ParamSpec("P")
R = TypeVar("R")

# Parameters are live objects (connections, files in scratch): nothing to key a cache on, nothing to persist.
UNCACHED: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}


def safely(call: Callable[P, R]) -> Callable[P, R]:
    """Wrap `call` so that only clean `MirrorError`s leave it."""

    @functools.wraps(call)
    def cleaned(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except MirrorError:
            raise
        except Exception as error:  # noqa: BLE001 - the edge to the orchestrator: whatever comes must be clean
            fault = named(error)
        raise fault

    return cleaned


def retry_if_transient(
    task: Task[..., Any], run: TaskRun, state: State[Any], *, patience: Patience | None = None
) -> bool:
    """Say by the error's type whether a retry can help; before one, wait what the archive asked for beyond a delay.

    Prefect asks here before it sleeps its own delay, and offers no other place to wait for a Retry-After.
    """
    error = state.result(raise_on_failure=False)
    if not isinstance(error, TransientError) or (patience is not None and patience.has_ended(error)):
        return False
    # How Prefect varies the delay is in its own line about it.
    wait_s = max(_delay_s(task, run), asked_wait_s(error))
    announce(Retry(error, wait_s, run.run_count + 1, (task.retries or 0) + 1))
    time.sleep(wait_s - _delay_s(task, run))
    return True


def _delay_s(task: Task[..., Any], run: TaskRun) -> float:
    delays = task.retry_delay_seconds
    return delays[min(run.run_count, len(delays)) - 1] if delays else 0.0


def retries(delays_s: Sequence[float], patience: Patience | None = None) -> dict[str, Any]:
    """Task options that retry transient errors after `delays_s` seconds, each varied by up to a third.

    Args:
        delays_s: Seconds before the second, third, ... attempt.
        patience: Of the files that the task is run for; where it has ended, nothing is tried again.
    """
    if not delays_s:
        return {"retries": 0}

    # Prefect calls functions alone; of anything else, such as a partial, it takes the truth for the answer.
    def condition(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
        return retry_if_transient(task, run, state, patience=patience)

    return {
        "retries": len(delays_s),
        "retry_delay_seconds": list(delays_s),
        "retry_jitter_factor": JITTER,
        "retry_condition_fn": condition,
    }
