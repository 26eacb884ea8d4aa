"""The few things a sandbox asks of its Prefect server, over its REST API.

Not through Prefect's own client: importing that takes seconds, and writes to the user's Prefect folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import httpx
import stamina

from onc_mirror.flow_names import HOURLY

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

WORK_POOL = "onc-mirror"
DEPLOYMENT = f"{HOURLY}/hourly"

_FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass(frozen=True, slots=True)
class FlowRun:
    """A flow run as the server sees it now.

    Attributes:
        id: Its id.
        name: Its name, such as `calm-otter`.
        state_type: Prefect's type of its state, such as `COMPLETED`.
        state_name: The name of its state, such as `Completed` or a name of the flow's own.
        message: What the state says; empty when nothing.
    """

    id: str
    name: str
    state_type: str
    state_name: str
    message: str

    @property
    def is_final(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state_type in _FINAL

    @property
    def is_completed(self) -> bool:
        """Whether it reached a completed state, whatever its name."""
        return self.state_type == "COMPLETED"

    @property
    def was_crowded_out(self) -> bool:
        """Whether it never ran, since another run of the deployment was at work (`CANCEL_NEW`)."""
        return self.state_type == "CANCELLED" and "concurrency limit" in self.message


def _is_busy(error: Exception) -> bool:
    # Prefect answers 503 when its SQLite database is locked, and took nothing over.
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code == httpx.codes.SERVICE_UNAVAILABLE


class Orchestrator:
    """A connection to the server's API. Network and HTTP errors come as `httpx.HTTPError`.

    Args:
        url: The server.
        auth: User and password, when it asks for them.
        trusted: Whom to trust where it speaks TLS; None: those that the system trusts.
    """

    def __init__(
        self, url: str, *, auth: tuple[str, str] | None = None, trusted: ssl.SSLContext | None = None
    ) -> None:
        verify = True if trusted is None else trusted
        self._client = httpx.Client(base_url=f"{url}/api", timeout=30, trust_env=False, auth=auth, verify=verify)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def clear_leftovers(self) -> None:
        """End what an earlier sandbox left unfinished. Only right while no worker runs.

        Runs that a kill cut off would hold the deployment's only slot for ever, and the runs that were due while
        nothing ran would all start now and crowd out the one that is wanted.
        """
        cut_off = {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}
        crashed = {"type": "CRASHED", "name": "Crashed", "message": "The sandbox ended during the run."}
        self._ask("POST", "/flow_runs/bulk_set_state", {"flow_runs": cut_off, "state": crashed, "force": True})
        missed = {
            "state": {"type": {"any_": ["SCHEDULED"]}},
            "expected_start_time": {"before_": datetime.now(UTC).isoformat()},
        }
        self._ask("POST", "/flow_runs/bulk_delete", {"flow_runs": missed})
        for limit in self._ask("POST", "/v2/concurrency_limits/filter", {}):
            self._ask("PATCH", f"/v2/concurrency_limits/{limit['id']}", {"active_slots": 0})

    def trigger(
        self,
        deployment: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> FlowRun:
        """Schedule a run for now.

        Args:
            deployment: `<flow>/<deployment>`.
            parameters: Parameters of the flow that differ from the deployment's.
            environment: Variables that the run has beyond those of the worker.
        """
        found = self._ask("GET", f"/deployments/name/{deployment}")
        asked = {"parameters": parameters or {}, "job_variables": {"env": environment} if environment else {}}
        return _flow_run(self._ask("POST", f"/deployments/{found['id']}/create_flow_run", asked))

    def flow_run(self, run_id: str) -> FlowRun:
        """Look at a run."""
        return _flow_run(self._ask("GET", f"/flow_runs/{run_id}"))

    def count_task_runs(self, run_id: str, *, name_like: str, ended: bool = False) -> int:
        """Count the task runs of a run whose name contains `name_like`.

        Args:
            run_id: The flow run.
            name_like: Part of the names, upper and lower case alike.
            ended: Only those in a final state.
        """
        tasks: dict[str, Any] = {"name": {"like_": name_like}}
        if ended:
            tasks["state"] = {"type": {"any_": list(_FINAL)}}
        wanted = {"flow_runs": {"id": {"any_": [run_id]}}, "task_runs": tasks}
        return int(self._ask("POST", "/task_runs/count", wanted))

    def table_artifact(self, run_id: str, key: str) -> list[dict[str, Any]]:
        """Return the rows of a run's table artifact; empty when the run made none of that key."""
        wanted = {"artifacts": {"flow_run_id": {"any_": [run_id]}, "key": {"any_": [key]}}}
        found = self._ask("POST", "/artifacts/filter", wanted)
        rows: list[dict[str, Any]] = json.loads(found[0]["data"]) if found else []
        return rows

    @stamina.retry(on=_is_busy, attempts=8, timeout=30.0)
    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = self._client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def _flow_run(answer: Mapping[str, Any]) -> FlowRun:
    state = answer["state"] or {}
    return FlowRun(
        id=answer["id"],
        name=answer["name"],
        state_type=state.get("type", ""),
        state_name=state.get("name", ""),
        message=state.get("message") or "",
    )
