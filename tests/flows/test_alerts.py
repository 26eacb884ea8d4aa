"""What Prefect sees of a run reaches a receiver: a real server, worker and HTTP endpoint, after `onc-mirror deploy`.

`python -m tests.alerts` measures these and the slow ones, such as a worker and its run that are killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from infra.sandbox.archive.config import DEFAULT_TOKEN
from infra.sandbox.environment import part_environment
from infra.sandbox.options import ROOT
from infra.sandbox.orchestrator import DEPLOYMENT
from tests.support.flow_runs import rows_of, texts_below
from tests.support.receivers import http_receiver
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.sandbox.orchestrator import FlowRun
    from infra.sandbox.up import Sandbox
    from tests.support.flow_runs import ArchiveControl, Deployed
    from tests.support.receivers import Receiver

DEVICE = "TUMSTANDARDMODULE001"
SECRET = "T1JJ3T3L2-h00k-c4n4ry"
FAILED, AGAIN = (f"onc-mirror: {DEPLOYMENT} {end}" for end in ("failed", "works again"))


@pytest.fixture
def receiver(sandbox: Sandbox) -> Iterator[Receiver]:
    """Who is told; afterwards nobody is."""
    deploy = [sys.executable, "-m", "onc_mirror.cli.main", "deploy"]
    environment = part_environment(sandbox.options)
    with http_receiver() as listening:
        told = environment | {"ONC_MIRROR_ALERT_WEBHOOK": f"{listening.url}/{SECRET}"}
        subprocess.run(deploy, cwd=ROOT, env=told, check=True, timeout=120)
        yield listening


def test_the_first_failure_and_the_next_success_are_told_and_nothing_between(
    deployed: Deployed, archive: ArchiveControl, receiver: Receiver
) -> None:
    archive.fault("token-revoked")
    first = deployed.run(devices=[DEVICE])
    failed = receiver.wait_for(FAILED)
    second = killed(deployed, archive)
    archive.clear()

    last = deployed.run(devices=[DEVICE])

    again = receiver.wait_for(AGAIN)
    assert [one.subject for one in receiver.messages] == [FAILED, AGAIN]
    assert first.message in failed.body
    assert run_url(deployed, first) in failed.body
    assert "docs/runbook.md#run-failed" in failed.body
    assert (second.state_type, last.state_type) == ("CRASHED", "COMPLETED")
    assert run_url(deployed, last) in again.body
    assert DEFAULT_TOKEN not in failed.body + again.body
    home = deployed.sandbox.options.state
    (database,) = (home / "prefect").glob("prefect.db")
    assert first.id in rows_of(database)
    assert not [one for one in (DEFAULT_TOKEN, SECRET) if one in rows_of(database)]
    written = texts_below(home / "prefect") | texts_below(home / "logs")
    assert not [path for path, content in written.items() if SECRET.encode() in content]


def killed(deployed: Deployed, archive: ArchiveControl) -> FlowRun:
    """A run that was killed with SIGKILL while it waited for the archive."""
    archive.clear()
    archive.fault("latency", endpoint="device", seconds=300)
    orchestrator = deployed.sandbox.orchestrator
    run = orchestrator.trigger(DEPLOYMENT, environment=deployed.environment | {"ONC_MIRROR_STALL_TIMEOUT_S": "300"})
    wait_until(lambda: bool(archive.requests()), timeout_s=60, every_s=0.2)
    for process in psutil.Process(os.getpid()).children(recursive=True):
        if process.environ().get("PREFECT__FLOW_RUN_ID") == run.id:
            process.kill()
    wait_until(lambda: orchestrator.flow_run(run.id).is_final, timeout_s=60, every_s=0.2)
    return orchestrator.flow_run(run.id)


def run_url(deployed: Deployed, run: FlowRun) -> str:
    return f"{deployed.sandbox.options.prefect_url}/runs/flow-run/{run.id}"
