"""A deployed mirror whose server, worker and runs are killed, and the alerts of that."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import yaml

from infra.sandbox.environment import part_environment
from infra.sandbox.options import ROOT, SandboxOptions
from infra.sandbox.orchestrator import DEPLOYMENT, WORK_POOL
from infra.sandbox.parts import Command
from infra.sandbox.up import running_sandbox
from tests.support.flow_runs import ArchiveControl, environment_of
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from infra.sandbox.orchestrator import FlowRun
    from infra.sandbox.up import Sandbox

LONGEST_S = 300.0
HEARTBEAT_S = 30
"""Prefect's minimum."""

DEVICE = "TUMSTANDARDMODULE001"
"""It has few files."""


@dataclass
class World:
    """A running sandbox and what is done to it.

    Attributes:
        sandbox: The sandbox.
        archive: The controls of its archive.
        environment: What its runs have beyond the worker's environment.
        declared: What is deployed.
    """

    sandbox: Sandbox
    archive: ArchiveControl
    environment: dict[str, str]
    declared: Path

    def begin(self, **parameters: Any) -> FlowRun:
        """Trigger the hourly run and wait until it is at work."""
        wanted = {"devices": [DEVICE], **parameters}
        run = self.sandbox.orchestrator.trigger(DEPLOYMENT, parameters=wanted, environment=self.environment)
        self._wait(lambda: self._look(run).state_type not in {"SCHEDULED", "PENDING"})
        return run

    def end(self, run: FlowRun) -> FlowRun:
        """Wait for the end of a run."""
        self._wait(lambda: self._look(run).is_final)
        return run

    def ended_at(self, run: FlowRun) -> float:
        """When a run ended, by `time.time`."""
        found = httpx.get(f"{self.url}/flow_runs/{run.id}", timeout=120, trust_env=False).raise_for_status().json()
        return datetime.fromisoformat(found["state"]["timestamp"]).astimezone(UTC).timestamp()

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

    def start_server(self) -> None:
        """Start the Prefect server again, on the database that is there."""
        port = str(self.sandbox.options.prefect_port)
        command = Command("another server", "prefect", ("server", "start", "--port", port), f"{self.url}/health")
        part = self.sandbox.parts.start(command)
        self._wait(part.is_healthy)

    def deploy(self, **receivers: str) -> None:
        """Register what is declared, with these receivers."""
        self._command(["deploy", "--from", str(self.declared)], receivers).check_returncode()

    def is_alive(self, within: str) -> bool:
        """Ask the check that needs no Prefect."""
        return self._command(["doctor", "--liveness", "--within", within], {}).returncode == 0

    def _command(self, arguments: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "onc_mirror.cli.main", *arguments]
        environment = part_environment(self.sandbox.options) | self.environment | variables
        return subprocess.run(command, cwd=ROOT, env=environment, check=False, timeout=LONGEST_S)

    def _look(self, run: FlowRun) -> FlowRun:
        return self.sandbox.orchestrator.flow_run(run.id)

    def _wait(self, condition: Callable[[], bool]) -> None:
        def holds() -> bool:
            with contextlib.suppress(httpx.HTTPError):  # a server that is busy or not there answers later
                return condition()
            return False

        wait_until(holds, timeout_s=LONGEST_S, every_s=0.5)


@contextmanager
def world(folder: Path, *, zombie_s: int, no_success_s: int) -> Iterator[World]:
    """A sandbox of its own, and a mirror in it, with these times in the place of those that are deployed."""
    declared = _hurried_files(folder / "declared", zombie_s=zombie_s, no_success_s=no_success_s)
    options = SandboxOptions(folder / "sandbox", archive_port=0, s3_port=0, prefect_port=0, size="tiny")
    environment = environment_of(folder / "state", "mirror") | {
        "ONC_MIRROR_STALL_TIMEOUT_S": "3600",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S),
    }
    with running_sandbox(options, print) as sandbox:
        archive = ArchiveControl(sandbox.options.archive_url)
        yield World(sandbox, archive, environment, declared)
        archive.close()


def _hurried_files(folder: Path, *, zombie_s: int, no_success_s: int) -> Path:
    """What is declared, with shorter times and without schedules: a run of theirs would come between.

    Nor would all be told of the first: what becomes of a run that the scheduler made less than five minutes before it
    starts is told 15 minutes late, since there is no event of its making, for which that of its start waits.
    """
    folder.mkdir()
    deployments = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text("utf-8"))
    for one in deployments["deployments"]:
        one.pop("schedules", None)
    (folder / "prefect.yaml").write_text(yaml.safe_dump(deployments), "utf-8")
    declared = yaml.safe_load((ROOT / "deployments" / "automations.yaml").read_text("utf-8"))
    for one in declared["automations"]:
        for trigger in [one["trigger"], *one["trigger"].get("triggers", ())]:
            if trigger.get("posture") == "Proactive":
                trigger["within"] = no_success_s if "succe" in one["name"] else zombie_s
    (folder / "automations.yaml").write_text(yaml.safe_dump(declared), "utf-8")
    return folder


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
