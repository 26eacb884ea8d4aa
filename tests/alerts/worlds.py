"""A deployed mirror whose server, worker and runs are killed, and the alerts of that."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import yaml
from s3fs import S3FileSystem

from infra.sandbox.environment import part_environment
from infra.sandbox.options import ACCESS_KEY, BUCKET, ROOT, SECRET_KEY, SandboxOptions
from infra.sandbox.orchestrator import DEPLOYMENT, WORK_POOL
from infra.sandbox.parts import Command
from infra.sandbox.up import running_sandbox
from tests.alerts.hearing import LONGEST_S
from tests.support.flow_runs import ArchiveControl, environment_of
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from infra.sandbox.orchestrator import FlowRun
    from infra.sandbox.up import Sandbox

HEARTBEAT_S = 30
"""Prefect's minimum."""

DEVICE, OTHER_DEVICE = "TUMSTANDARDMODULE001", "TUMSTANDARDMODULE004"
"""They have few files."""


@dataclass
class World:
    """A running sandbox and what is done to it.

    Attributes:
        sandbox: The sandbox.
        archive: The controls of its archive.
        environment: What its runs and commands have beyond the worker's environment.
        voices: What its runs have besides: whom they tell, and when a device is silent.
        declared: What is deployed.
    """

    sandbox: Sandbox
    archive: ArchiveControl
    environment: dict[str, str]
    voices: dict[str, str]
    declared: Path

    def begin(self, deployment: str = DEPLOYMENT, device: str = DEVICE) -> FlowRun:
        """Trigger a run and wait until it is at work."""
        wanted = {"devices": [device]}
        has = {"env": self.environment | self.voices}
        found = self.ask("GET", f"/deployments/name/{deployment}")
        asked = {"parameters": wanted, "job_variables": has}
        run = self._look(self.ask("POST", f"/deployments/{found['id']}/create_flow_run", asked)["id"])
        self._wait(lambda: self._look(run.id).state_type not in {"SCHEDULED", "PENDING"})
        return run

    def end(self, run: FlowRun) -> FlowRun:
        """Wait for the end of a run."""
        self._wait(lambda: self._look(run.id).is_final)
        return run

    def ended_at(self, run: FlowRun) -> float:
        """When a run ended, by `time.time`."""
        return _seconds(self.ask("GET", f"/flow_runs/{run.id}")["state"]["timestamp"])

    def started_at(self, run: FlowRun) -> float:
        """When a run began, by `time.time`."""
        return _seconds(self.ask("GET", f"/flow_runs/{run.id}")["start_time"])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the server's API, again when its database is locked."""
        url = f"{self.url}{path}"
        while True:
            answer = httpx.request(method, url, json=body, timeout=120, trust_env=False)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                answer.raise_for_status()
                return answer.json() if answer.content else None
            time.sleep(1)

    def schedule(self, *, active: bool) -> None:
        """Have the hourly run start every minute, or pause its schedule and wait for the end of its runs."""
        deployment = self.ask("GET", f"/deployments/name/{DEPLOYMENT}")
        (only,) = deployment["schedules"]
        self.ask("PATCH", f"/deployments/{deployment['id']}/schedules/{only['id']}", {"active": active})
        if not active:
            self.keep_scheduled(0)
            at_work = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}}}
            self._wait(lambda: not self.ask("POST", "/flow_runs/filter", at_work))

    def scheduled_ends(self, state: str, after: float) -> list[float]:
        """Wait until a run that the scheduler has made ends in a state after a moment; says when each did so far."""
        wanted = {"flow_runs": {"state": {"type": {"any_": [state]}}}, "sort": "END_TIME_DESC", "limit": 20}

        def ends() -> list[float]:
            runs = [one for one in self.ask("POST", "/flow_runs/filter", wanted) if one["auto_scheduled"]]
            return sorted(at for one in runs if (at := _seconds(one["state"]["timestamp"])) > after)

        self._wait(lambda: bool(ends()))
        return ends()

    def keep_scheduled(self, number: int) -> None:
        """Delete the runs that the scheduler has made beforehand, but for the first ones."""
        wanted = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}, "sort": "EXPECTED_START_TIME_ASC"}
        for one in self.ask("POST", "/flow_runs/filter", wanted)[number:]:
            self.ask("DELETE", f"/flow_runs/{one['id']}")

    def end_as(self, state: dict[str, str]) -> float:
        """A run of the hourly deployment ends in a state, without a process; says when."""
        deployment = self.ask("GET", f"/deployments/name/{DEPLOYMENT}")
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        first = {"type": "SCHEDULED", "state_details": {"scheduled_time": later}}
        run = self.ask("POST", f"/deployments/{deployment['id']}/create_flow_run", {"state": first})
        at = time.time()
        self.ask("POST", f"/flow_runs/{run['id']}/set_state", {"state": state, "force": True})
        return at

    def newest(self, device: str) -> float:
        """When the archive took in the newest file of a device that the ledger knows."""
        database = f"file:{self.environment['ONC_MIRROR_STATE_DIR']}/ledger.db?mode=ro"
        with contextlib.closing(sqlite3.connect(database, uri=True)) as connection:
            (found,) = connection.execute(
                "SELECT max(archived_at) FROM files WHERE device_code = ?", (device,)
            ).fetchone()
        return _seconds(found)

    def lose_object(self, device: str) -> None:
        """Delete an object of a device from the bucket, behind the mirror's back."""
        options = self.sandbox.options
        files = S3FileSystem(key=ACCESS_KEY, secret=SECRET_KEY, endpoint_url=options.s3_url, skip_instance_cache=True)
        files.rm_file(files.find(f"{BUCKET}/mirror/raw/{device}")[0])

    @property
    def url(self) -> str:
        """The server's API."""
        return f"{self.sandbox.options.prefect_url}/api"

    def stalled(self) -> FlowRun:
        """A run that waits for an answer of the archive."""
        self.archive.fault("latency", endpoint="device", seconds=3600)
        asked = len(self.archive.requests())
        run = self.begin()
        self._wait(lambda: len(self.archive.requests()) > asked)
        return run

    def kill_flow(self, run: FlowRun) -> float:
        """Kill -9 the process of a run and those it started; return when, by `time.time`."""
        return _kill([one for one in _ours() if _variable(one, "PREFECT__FLOW_RUN_ID") == run.id])

    def kill_worker(self) -> float:
        """Kill -9 the worker; its runs stay."""
        return _kill(_parts("worker", "start"))

    def start_worker(self) -> None:
        """Start another worker."""
        arguments = ("worker", "start", "--pool", WORK_POOL, "--type", "process", "--name", uuid.uuid4().hex)
        self.sandbox.parts.start(Command("another worker", "prefect", arguments))

    def kill_server(self) -> float:
        """Kill -9 the Prefect server."""
        return _kill(_parts("server", "start"))

    def start_server(self, *options: str) -> None:
        """Start the Prefect server again, on the database that is there."""
        arguments = ("server", "start", "--port", str(self.sandbox.options.prefect_port), *options)
        command = Command("another server", "prefect", arguments, f"{self.url}/health")
        part = self.sandbox.parts.start(command)
        self._wait(part.is_healthy)

    def deploy(self, **receivers: str) -> None:
        """Register what is declared, with these receivers."""
        self.command("deploy", "--from", str(self.declared), variables=receivers).check_returncode()

    def is_alive(self, within: str) -> bool:
        """Ask the check that needs no Prefect.

        Raises:
            LookupError: It did not say.
        """
        said = self.command("doctor", "--liveness", "--within", within).stdout.decode()
        if not said.startswith(("Alive", "Not alive")):
            raise LookupError(f"The check says {said!r}.")
        return said.startswith("Alive")

    def command(self, *arguments: str, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run `onc-mirror` with the environment of the runs."""
        command = [sys.executable, "-m", "onc_mirror.cli.main", *arguments]
        environment = part_environment(self.sandbox.options) | self.environment | (variables or {})
        return subprocess.run(
            command, cwd=ROOT, env=environment, check=False, timeout=LONGEST_S, stdout=subprocess.PIPE
        )

    def _look(self, run_id: str) -> FlowRun:
        return self.sandbox.orchestrator.flow_run(run_id)

    def _wait(self, condition: Callable[[], bool]) -> None:
        def holds() -> bool:
            with contextlib.suppress(httpx.HTTPError):  # a server that is busy or not there answers later
                return condition()
            return False

        wait_until(holds, timeout_s=LONGEST_S, every_s=0.5)


@contextmanager
def world(folder: Path, *, zombie_s: int, no_success_s: int, voices: dict[str, str]) -> Iterator[World]:
    """A sandbox of its own, and a mirror in it, with these times in the place of those that are deployed."""
    declared = _hurried_files(folder / "declared", zombie_s=zombie_s, no_success_s=no_success_s)
    options = SandboxOptions(folder / "sandbox", archive_port=0, s3_port=0, prefect_port=0, size="tiny")
    environment = environment_of(folder / "state", "mirror") | {
        "ONC_MIRROR_STALL_TIMEOUT_S": "3600",
        "ONC_MIRROR_OVERLAP": "PT2H",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S),
    }
    with running_sandbox(options, print) as sandbox:
        archive = ArchiveControl(sandbox.options.archive_url)
        here = World(sandbox, archive, environment, dict(voices), declared)
        here.schedule(active=False)
        deployment = here.ask("GET", f"/deployments/name/{DEPLOYMENT}")
        here.ask("PATCH", f"/deployments/{deployment['id']}", {"job_variables": {"env": environment | voices}})
        yield here
        archive.close()


def _hurried_files(folder: Path, *, zombie_s: int, no_success_s: int) -> Path:
    """What is declared, with shorter times; the hourly run is due every minute and no other has a schedule."""
    folder.mkdir()
    deployments = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text("utf-8"))
    for one in deployments["deployments"]:
        schedules = one.pop("schedules", [])
        if one["name"] == "hourly":
            one["schedules"] = [{**schedules[0], "cron": "* * * * *", "parameters": {"devices": [DEVICE]}}]
    (folder / "prefect.yaml").write_text(yaml.safe_dump(deployments), "utf-8")
    declared = yaml.safe_load((ROOT / "deployments" / "automations.yaml").read_text("utf-8"))
    for one in declared["automations"]:
        for trigger in [one["trigger"], *one["trigger"].get("triggers", ())]:
            if trigger.get("posture") == "Proactive":
                trigger["within"] = no_success_s if "succe" in one["name"] else zombie_s
    (folder / "automations.yaml").write_text(yaml.safe_dump(declared), "utf-8")
    return folder


def _seconds(text: str) -> float:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _ours() -> list[psutil.Process]:
    return psutil.Process(os.getpid()).children(recursive=True)


def _parts(*words: str) -> list[psutil.Process]:
    """The processes of a part, without its guard."""
    return [one for one in _ours() if _command_line(one)[2:5] == ["prefect", *words]]


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has ended
        return []


def _variable(process: psutil.Process, name: str) -> str | None:
    try:
        return process.environ().get(name)
    except psutil.Error:
        return None


def _kill(processes: list[psutil.Process]) -> float:
    if not processes:
        raise LookupError("There is no such process.")
    at = time.time()
    for one in processes:
        one.kill()
    return at
