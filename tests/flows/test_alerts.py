"""What Prefect sees of a run reaches a receiver: a real server, worker and HTTP endpoint, after `onc-mirror deploy`.

`python -m tests.alerts` measures these and the slow ones, such as a worker and its run that are killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from infra.sandbox.archive.config import DEFAULT_TOKEN
from infra.sandbox.orchestrator import DEPLOYMENT
from onc_mirror.cli import main
from onc_mirror.ledger import open_ledger
from onc_mirror.report.document import RunReport
from tests.support.flow_runs import kill_processes_of, rows_of, texts_below, wait_for_end
from tests.support.receivers import running_hook
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.sandbox.orchestrator import FlowRun
    from infra.sandbox.up import Sandbox
    from tests.support.flow_runs import ArchiveControl, Deployed
    from tests.support.receivers import Hook

DEVICE = "TUMSTANDARDMODULE001"
SECRET = "T1JJ3T3L2-h00k-c4n4ry"
FAILED, AGAIN = (f"onc-mirror: {DEPLOYMENT} {end}" for end in ("failed", "works again"))


@pytest.fixture
def receiver(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    """Who is told; afterwards nobody is."""
    with running_hook() as listening, monkeypatch.context() as patch:
        patch.setenv("ONC_MIRROR_ALERT_WEBHOOK", f"{listening.url}/{SECRET}")
        deploy(sandbox)
        yield listening
    with httpx.Client(base_url=f"{sandbox.options.prefect_url}/api", timeout=30, trust_env=False) as client:
        wait_until(lambda: has_no_blocks(client), every_s=1)  # a busy server asks to be asked again
    deploy(sandbox)


def has_no_blocks(client: httpx.Client) -> bool:
    """Delete all blocks; says whether there are none."""
    found = client.post("/block_documents/filter", json={})
    blocks = found.json() if found.is_success else [None]
    for block in filter(None, blocks):
        client.delete(f"/block_documents/{block['id']}")
    return not blocks


def deploy(sandbox: Sandbox) -> None:
    """The command in this process, which has long imported Prefect."""
    with temporary_settings({PREFECT_API_URL: f"{sandbox.options.prefect_url}/api"}):
        assert main.run(["deploy"]) == 0


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # by Apprise, which Prefect imports
def test_the_first_failure_and_the_next_success_are_told_and_nothing_between(
    deployed: Deployed, archive: ArchiveControl, receiver: Hook
) -> None:
    archive.fault("token-revoked")
    first = deployed.run()  # right after the deploy, which has waited until it was heard
    assert reasons(deployed) == ["token-rejected"]
    failed = receiver.wait_for(FAILED)
    second = killed(deployed, archive)
    archive.clear()
    not_ready(archive)

    last = deployed.run(devices=[DEVICE])

    again = receiver.wait_for(AGAIN)
    assert [one.subject for one in receiver.messages] == [FAILED, AGAIN]
    assert "ONC_TOKEN" in first.message
    assert first.message in failed.body
    assert run_url(deployed, first) in failed.body
    assert "docs/runbook.md#run-failed" in failed.body
    # A run that only waits for files is completed under a name of its own, and good news.
    assert (second.state_type, last.state_type, last.state_name) == ("CRASHED", "COMPLETED", "CompletedWithHeld")
    assert run_url(deployed, last) in again.body
    assert DEFAULT_TOKEN not in failed.body + again.body
    home = deployed.sandbox.options.state
    (database,) = (home / "prefect").glob("prefect.db")
    assert first.id in rows_of(database)
    assert not [one for one in (DEFAULT_TOKEN, SECRET) if one in rows_of(database)]
    written = texts_below(home / "prefect") | texts_below(home / "logs") | texts_below(deployed.settings.state_dir)
    secrets = (DEFAULT_TOKEN.encode(), SECRET.encode())
    assert not [path for path, content in written.items() for one in secrets if one in content]


def not_ready(archive: ArchiveControl) -> None:
    """Some files of the device have to wait."""
    archive.fault("not-ready", filename=f"{DEVICE}_*-SDAQ-MODULE.hdf5")


def reasons(deployed: Deployed) -> list[str]:
    """Why the last run failed, by its report."""
    with open_ledger(deployed.settings.ledger) as ledger:
        text = ledger.report(ledger.runs(1)[0].run_id)
    return [error.reason for error in RunReport.from_json(text or "").errors]


def killed(deployed: Deployed, archive: ArchiveControl) -> FlowRun:
    """A run that was killed with SIGKILL while it waited for the archive."""
    archive.clear()
    archive.fault("latency", endpoint="device", seconds=300)
    orchestrator = deployed.sandbox.orchestrator
    run = orchestrator.trigger(DEPLOYMENT, environment=deployed.environment | {"ONC_MIRROR_STALL_TIMEOUT_S": "300"})
    wait_until(lambda: bool(archive.requests()), timeout_s=60, every_s=0.2)
    kill_processes_of(run.id)
    return wait_for_end(deployed.sandbox, run.id)


def run_url(deployed: Deployed, run: FlowRun) -> str:
    return f"{deployed.sandbox.options.prefect_url}/runs/flow-run/{run.id}"
