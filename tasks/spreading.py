"""A large backfill as child runs, so that any number of workers share it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
from prefect import get_client, task
from prefect.context import FlowRunContext
from prefect.deployments import run_deployment
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from onc_mirror.backfill.slicing import Part, count_slices, cut_parts
from onc_mirror.backfill.spanning import Span
from onc_mirror.errors import LedgerUnavailableError
from onc_mirror.flow_names import BACKFILL_PART
from onc_mirror.mirror import Mirror
from onc_mirror.report.document import NO_DEVICE, DeviceError, RunReport
from onc_mirror.report.failures import unreached
from onc_mirror.report.tally import Tally
from onc_mirror.report.words import closing_sentence
from onc_mirror.transfer.progress import Progress
from onc_mirror.utc import time_text
from onc_mirror.wording import printable
from tasks.policy import UNCACHED, safely

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from prefect import State
    from prefect.client.orchestration import SyncPrefectClient

PART_DEPLOYMENT = f"{BACKFILL_PART}/part"

SLICES_PER_RUN = 300
"""A month of ten devices. A run takes 6 to 10 s to begin on a worker, so it must have minutes to do; and Prefect
writes some 25 tasks a second down, so that 300 are no load on its server."""

RUNS_IN_FLIGHT = 4
"""Each is a process of some 200 MB; more of them than the lane has slots would only wait for each other."""

_MOST_PARTS = 1000
_ATTEMPTS = 2
_LOOKS_EVERY_S = 5.0
_DIED = "Died"
"""Prefect has no such state."""


def _own_job_variables() -> Mapping[str, Any]:
    context = FlowRunContext.get()
    return (context.flow_run.job_variables or {}) if context is not None and context.flow_run is not None else {}


@dataclass(frozen=True, slots=True)
class Spread:
    """How a backfill is spread over runs.

    Attributes:
        slices_per_run: Slices that one run does by itself; a larger backfill becomes child runs of as many.
        runs_in_flight: Child runs at a time.
        options: Parameters that all child runs have.
        job_variables: What this run's own infrastructure was given beyond its deployment's, for the child runs too.
    """

    slices_per_run: int
    runs_in_flight: int
    options: Mapping[str, Any]
    job_variables: Mapping[str, Any] = field(default_factory=_own_job_variables)


@task(name="run-part", task_run_name="part {part}", **UNCACHED)
@safely
def run_part(mirror: Mirror, part: Part, spread: Spread, name: str) -> State[RunReport]:
    """Have a child run do a part, and bring its report; one that was killed is run once more, after its leases."""
    state, wait = "", timedelta(0)
    for attempt in range(1, _ATTEMPTS + 1):
        run_id = f"{name}-{attempt}"
        # Typed for callers that await it as well; here it has been made already.
        child: Any = run_deployment(
            PART_DEPLOYMENT,
            parameters={**spread.options, **_parameters(part), "run_id": run_id},
            scheduled_time=datetime.now(UTC) + wait,
            flow_run_name=f"{name}-{attempt}",
            idempotency_key=run_id,
            job_variables=dict(spread.job_variables),
            timeout=0,
        )
        state = _end_of(mirror, run_id, child.id)
        text = mirror.ledger.report(run_id)
        if text is not None:
            report = RunReport.from_json(text)
            return Completed(message=printable(closing_sentence(report)), data=report)
        wait = timedelta(0) if state == _DIED else mirror.settings.lease
    return Failed(message=f"Its run ended as {state} without a report, {_ATTEMPTS} times.")


def _end_of(mirror: Mirror, run_id: str, flow_run_id: UUID) -> str:
    """Wait until a child run has ended, and say how.

    When its machine has died, Prefect says for five more minutes that it is running. The ledger knows after a lease;
    whatever it had is free then. While the Prefect server is away, the child goes on, and this waits.
    """
    with get_client(sync_client=True) as client:
        while True:
            state = state_of(client, flow_run_id)
            if state is not None and state.is_final():
                return state.name or state.type.value
            with suppress(LedgerUnavailableError):  # it says nothing about the run
                if mirror.ledger.leases.has_died(run_id, mirror.clock()):
                    return _DIED
            time.sleep(_LOOKS_EVERY_S)


def state_of(client: SyncPrefectClient, flow_run_id: UUID) -> State[Any] | None:
    """A run's state; None when it has none, or the server cannot say.

    Raises:
        HTTPStatusError: The server refuses to say.
    """
    try:
        return client.read_flow_run(flow_run_id).state
    except httpx.HTTPStatusError as error:
        if not error.response.is_server_error:
            raise
    except httpx.TransportError:
        pass
    return None


def run_parts(mirror: Mirror, span: Span, tally: Tally, progress: Progress, spread: Spread) -> None:
    """Have child runs do all of a span, a bounded number at a time, and add up their reports."""
    if (cause := span.inquiry.unreachable) is not None:
        tally.fail(*unreached(span.device_codes, cause))
        return
    progress.begun(span.slices)
    runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=spread.runs_in_flight)
    with runner:
        futures = [
            (
                part,
                runner.submit(run_part, {"mirror": mirror, "part": part, "spread": spread, "name": name}),
            )
            for part, name in _named_parts(span, spread)
        ]
        while futures:
            part, future = futures.pop(0)
            _add(part, future.result(raise_on_failure=False), tally, progress)


def _named_parts(span: Span, spread: Spread) -> Iterator[tuple[Part, str]]:
    most = max(spread.slices_per_run, math.ceil(span.slices / _MOST_PARTS))
    for number, part in enumerate(cut_parts(span.device_codes, span.days, most), start=1):
        yield part, f"{span.inquiry.run.run_id}-part{number:04}"


def _add(part: Part, result: Any, tally: Tally, progress: Progress) -> None:
    if isinstance(result, RunReport):
        tally.merge(result)
        progress.merged(count_slices(part.device_codes, part.window), result.mirrored, result.bytes)
        return
    detail = f"{part}: {result or 'its task broke down.'} Repeat the backfill; it goes on where it was."
    tally.fail(DeviceError(NO_DEVICE, "part-lost", detail))


def _parameters(part: Part) -> dict[str, Any]:
    since, until = time_text(part.window.since), time_text(part.window.until)
    return {"since": since, "until": until, "devices": list(part.device_codes)}
