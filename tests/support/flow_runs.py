"""Runs of the deployed hourly flow on a real server and worker, each with a mirror of its own."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import httpx
import psutil
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from infra.sandbox.environment import client_environment
from infra.sandbox.options import BUCKET
from infra.sandbox.orchestrator import DEPLOYMENT
from onc_mirror.hour import mirror_hour
from onc_mirror.mirror import open_mirror
from onc_mirror.run.gathering import MirrorRequest
from onc_mirror.settings import load_settings
from onc_mirror.store import open_store
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest
    from prefect import Flow, State

    from infra.sandbox.orchestrator import FlowRun
    from infra.sandbox.up import Sandbox
    from onc_mirror.settings import MirrorSettings

_LONGEST_S = 240.0
_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Deployed:
    """The deployed mirror, with state, scratch and a place in a store of its own.

    Attributes:
        sandbox: The running sandbox.
        environment: What its runs have in their environment beyond the worker's.
    """

    sandbox: Sandbox
    environment: dict[str, str]

    def run(self, deployment: str = DEPLOYMENT, **parameters: Any) -> FlowRun:
        """Run a deployment through the worker and wait for its end; again when the schedule's own run was at work."""
        orchestrator = self.sandbox.orchestrator
        while True:
            asked = orchestrator.trigger(deployment, parameters=parameters, environment=self.environment)
            run = wait_for_end(self.sandbox, asked.id)
            if not run.was_crowded_out:
                return run

    def run_here(self, flow: Flow[..., Any], **parameters: Any) -> FlowRun:
        """Run a flow in this process, on the server and without the worker; after `use`.

        For another run of a flow that a test has had run by the worker: the process of such a run takes seconds to
        start, and its story is the same.
        """
        with temporary_settings({PREFECT_API_URL: f"{self.sandbox.options.prefect_url}/api"}):
            state = cast("State[Any]", flow(**parameters, return_state=True))
        return wait_for_end(self.sandbox, str(state.state_details.flow_run_id))

    def mirror_without_prefect(self, *devices: str, hours: int) -> list[str]:
        """Mirror the last hours of devices in this process; returns the keys of their objects.

        For tests of other flows: a flow run takes seconds, and the mirror that it leaves is the same.
        """
        with open_mirror(self.settings) as mirror:
            report = mirror_hour(mirror, MirrorRequest(datetime.now(UTC) - timedelta(hours=hours), devices=devices))
        keys = sorted(self.objects("raw/"))
        assert (report.exit_code, len(keys)) == (0, report.mirrored)
        return keys

    def table(self, run: FlowRun, key: str) -> list[dict[str, Any]]:
        return self.sandbox.orchestrator.table_artifact(run.id, key)

    def task_runs(self, run: FlowRun) -> list[dict[str, Any]]:
        wanted = {"flow_runs": {"id": {"any_": [run.id]}}, "limit": 200}
        url = f"{self.sandbox.options.prefect_url}/api/task_runs/filter"
        found: list[dict[str, Any]] = (
            httpx.post(url, json=wanted, timeout=30, trust_env=False).raise_for_status().json()
        )
        return found

    def log(self, run: FlowRun) -> list[str]:
        """What the run's log in Prefect says, oldest first."""
        return [message for _, message in self.log_lines(run)]

    def log_lines(self, run: FlowRun) -> list[tuple[int, str]]:
        """Level and message of each line of the run's log in Prefect, oldest first."""
        wanted = {"logs": {"flow_run_id": {"any_": [run.id]}}, "limit": 200, "sort": "TIMESTAMP_ASC"}
        url = f"{self.sandbox.options.prefect_url}/api/logs/filter"
        found = httpx.post(url, json=wanted, timeout=30, trust_env=False).raise_for_status().json()
        return [(line["level"], line["message"]) for line in found]

    @property
    def settings(self) -> MirrorSettings:
        """The settings that its runs have; after `use`."""
        return load_settings()

    def objects(self, prefix: str = "") -> dict[str, tuple[int, Any]]:
        """Size and time of every object by key."""
        with open_store(self.settings) as store:
            return {found.key: (found.size_bytes, found.modified_at) for found in store.list(prefix)}

    def read(self, key: str) -> bytes:
        with open_store(self.settings) as store, store.open(key) as body:
            return body.read()


def wait_for_end(sandbox: Sandbox, run_id: str) -> FlowRun:
    """Wait for the end of a flow run, and return it."""

    def has_ended() -> bool:
        with suppress(httpx.ReadTimeout):  # the server of a busy machine
            return sandbox.orchestrator.flow_run(run_id).is_final
        return False

    wait_until(has_ended, timeout_s=_LONGEST_S, every_s=_POLL_S)
    return sandbox.orchestrator.flow_run(run_id)


def kill_processes_of(run_id: str) -> None:
    """Kill the process of a flow run with SIGKILL, and nothing else of the sandbox that this process has started."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # processes of other runs end meanwhile; a zombie is one of these, too
            if process.environ().get("PREFECT__FLOW_RUN_ID") == run_id:
                process.kill()


def end_runs(sandbox: Sandbox) -> None:
    """Kill what a test that failed has left running: the next would be crowded out."""
    wanted = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}}}
    url = f"{sandbox.options.prefect_url}/api/flow_runs/filter"
    for run in httpx.post(url, json=wanted, timeout=30, trust_env=False).raise_for_status().json():
        kill_processes_of(run["id"])
        wait_for_end(sandbox, run["id"])


def environment_of(folder: Path, prefix: str) -> dict[str, str]:
    """What a mirror with its state in `folder` and its objects under `prefix` has beyond the worker's environment.

    No token: what a run is given by the server stands in the server's database.
    """
    return {
        "ONC_MIRROR_STORE_URL": f"s3://{BUCKET}/{prefix}",
        "ONC_MIRROR_STATE_DIR": str(folder),
        "ONC_MIRROR_METRICS_FILE": str(folder / "onc-mirror.prom"),
        "ONC_MIRROR_RETRY_DELAYS_S": "0.05,0.3",
        "ONC_MIRROR_QUICK_RETRIES": "0",
        "ONC_MIRROR_BACKFILL_REQUESTS_PER_S": "1000",
        "ONC_MIRROR_STALL_TIMEOUT_S": "3",
        "ONC_MIRROR_CONNECT_TIMEOUT_S": "3",
    }


def use(deployed: Deployed, patch: pytest.MonkeyPatch) -> Deployed:
    """Let the test itself see what the runs of `deployed` see."""
    for name, value in (client_environment(deployed.sandbox.options) | deployed.environment).items():
        if name.startswith(("ONC_", "AWS_")):
            patch.setenv(name, value)
    return deployed


@contextmanager
def secret_block(sandbox: Sandbox, name: str, value: str) -> Iterator[None]:
    """A Secret block on the Prefect server, as an operator makes one in the UI."""
    with temporary_settings({PREFECT_API_URL: f"{sandbox.options.prefect_url}/api"}):
        Secret(value=SecretStr(value)).save(name, overwrite=True)
        try:
            yield
        finally:
            Secret.delete(name)


class ArchiveControl:
    """The stand-in's controls, over HTTP."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}_sandbox", timeout=30, trust_env=False)

    def fault(self, kind: str, **fields: Any) -> None:
        self._client.post("/faults", json={"kind": kind, **fields}).raise_for_status()

    def clear(self) -> None:
        self._client.delete("/faults").raise_for_status()
        self._client.delete("/requests").raise_for_status()

    def requests(self) -> list[dict[str, Any]]:
        found = self._client.get("/requests").raise_for_status().json()
        return list(found["requests"] if isinstance(found, dict) else found)

    def true_sha256(self, filename: str) -> str:
        return str(self._client.get(f"/files/{filename}").raise_for_status().json()["sha256"])

    def close(self) -> None:
        self._client.close()


def texts_below(folder: Path) -> dict[str, bytes]:
    """Content of every file below a folder, databases included."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and os.access(path, os.R_OK)}


def rows_of(database: Path) -> str:
    """Every value of every table of a SQLite database, as one text."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [row for table in tables for row in connection.execute(f'SELECT * FROM "{table}"')]  # noqa: S608 - names of the database itself
    return json.dumps(rows, default=str)
