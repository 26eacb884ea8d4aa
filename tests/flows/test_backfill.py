"""The deployed backfill, through a real Prefect server and worker: by itself, and as child runs."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from flows.backfill import backfill
from onc_mirror.backfill.spanning import BackfillRequest
from onc_mirror.backfill.story import backfill as backfill_alone
from onc_mirror.ledger import open_ledger
from onc_mirror.mirror import open_mirror
from onc_mirror.report.document import RunReport
from tests.support.flow_runs import wait_for_end
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from infra.sandbox.orchestrator import FlowRun
    from tests.support.flow_runs import ArchiveControl, Deployed

DEPLOYMENT = "backfill/backfill"
DEVICE = "TUMSTANDARDMODULE001"


def two_days() -> tuple[datetime, datetime]:
    """Two days whose data are all archived."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=3), today - timedelta(days=1)


def report_of(deployed: Deployed, flow: str = "backfill") -> RunReport:
    with open_ledger(deployed.settings.ledger) as ledger:
        run_id = next(run.run_id for run in ledger.runs(20) if run.flow == flow)
        text = ledger.report(run_id)
    assert text is not None
    return RunReport.from_json(text)


def artifacts(deployed: Deployed, run: FlowRun, key: str) -> list[dict[str, Any]]:
    wanted = {"artifacts": {"flow_run_id": {"any_": [run.id]}, "key": {"any_": [key]}}}
    url = f"{deployed.sandbox.options.prefect_url}/api/artifacts/filter"
    found: list[dict[str, Any]] = httpx.post(url, json=wanted, timeout=30, trust_env=False).raise_for_status().json()
    return found


def downloads(archive: ArchiveControl) -> list[dict[str, Any]]:
    return [one for one in archive.requests() if one["endpoint"] == "download"]


def comparable(report: RunReport) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(report.to_json())
    return {key: value for key, value in content.items() if key not in {"run_id", "seconds"}}


def test_a_backfill_is_foreseen_spread_over_child_runs_and_repeated_for_nothing(
    deployed: Deployed, archive: ArchiveControl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    since, until = two_days()
    asked: dict[str, Any] = {"since": since.isoformat(), "until": until.isoformat(), "devices": [DEVICE]}
    victim = f"{DEVICE}_{since:%Y%m%d}T000000.000Z-SDAQ-MODULE.hdf5"
    archive.fault("zero-tail", filename=victim)

    foreseen = deployed.run_here(backfill, dry_run=True, **asked)

    assert (foreseen.state_type, foreseen.state_name) == ("COMPLETED", "CompletedDryRun")
    assert "48 to be fetched" in foreseen.message
    assert [row["files"] for row in deployed.table(foreseen, "backfill-forecast")] == [24, 24]
    assert (downloads(archive), deployed.objects("raw/")) == ([], {})

    run = deployed.run(DEPLOYMENT, slices_per_run=1, **asked)

    report = report_of(deployed)
    assert (run.state_type, run.state_name) == ("COMPLETED", "CompletedWithHeld")
    assert f"{report.listed} of {report.listed} files of 1 device accounted for" in run.message
    assert victim in run.message
    assert (report.mirrored, report.quarantined, report.exit_code) == (47, 1, 3)
    with open_ledger(deployed.settings.ledger) as ledger:
        assert sorted(one.flow for one in ledger.runs()) == ["backfill", "backfill-part", "backfill-part"]
    (progress,) = artifacts(deployed, run, "backfill-progress")
    assert progress["type"] == "progress"
    assert float(progress["data"]) == 100.0
    assert "47 of 47 files, 2 of 2 days of devices" in progress["description"]
    # The server writes task runs down some time after they ended. Never is one about a file.
    wait_until(lambda: len(names(deployed, run, "part ")) == 2, timeout_s=60)
    assert not names(deployed, run, "mirror ")
    archive.clear()

    again = deployed.run_here(backfill, **asked)

    assert again.state_name == "CompletedWithHeld"
    assert (report_of(deployed).already, report_of(deployed).quarantined) == (47, 1)
    assert downloads(archive) == []
    wait_until(lambda: len(names(deployed, again, "fill ")) == 2, timeout_s=60)

    archive.fault("zero-tail", filename=victim)
    monkeypatch.setenv("ONC_MIRROR_STATE_DIR", str(tmp_path / "alone"))
    monkeypatch.setenv("ONC_MIRROR_STORE_URL", f"{deployed.settings.store_url}-alone")
    with open_mirror(deployed.settings) as mirror:
        alone = backfill_alone(mirror, BackfillRequest(since, until, devices=(DEVICE,)))
    assert comparable(alone) == comparable(report)


def test_a_part_that_gives_no_sign_of_life_is_done_by_another_run_and_not_waited_for(
    deployed: Deployed, archive: ArchiveControl
) -> None:
    """As when a worker's machine has died: Prefect goes on to say that the run is running."""
    since, until = two_days()
    asked = {"since": since.isoformat(), "until": until.isoformat(), "devices": [DEVICE]}
    archive.fault("latency", seconds=0.3, endpoint="download")

    run = deployed.sandbox.orchestrator.trigger(
        DEPLOYMENT,
        parameters={**asked, "slices_per_run": 1, "runs_in_flight": 1},
        environment={**deployed.environment, "ONC_MIRROR_LEASE": "PT6S"},
    )
    wait_until(lambda: bool(downloads(archive)), timeout_s=180, every_s=0.1)
    silent = silence_parts(run)
    archive.clear()
    ended = wait_for_end(deployed.sandbox, run.id)
    for process in silent:
        process.kill()

    report = report_of(deployed)
    with open_ledger(deployed.settings.ledger) as ledger:
        parts = [one for one in ledger.runs() if one.flow == "backfill-part"]
    assert ended.state_name == "Completed", ended.message
    assert report.mirrored + report.already == 48
    assert len(deployed.objects("raw/")) == 48
    assert sorted(part.finished_at is None for part in parts) == [False, False, True]


def silence_parts(backfill_run: FlowRun) -> list[psutil.Process]:
    """Suspend the processes of all flow runs but the backfill itself."""
    silent = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # those of ended runs; a zombie is one of these, too
            if process.environ().get("PREFECT__FLOW_RUN_ID", backfill_run.id) != backfill_run.id:
                process.suspend()
                silent.append(process)
    return silent


def names(deployed: Deployed, run: FlowRun, begin: str) -> list[str]:
    return [row["name"] for row in deployed.task_runs(run) if row["name"].startswith(begin)]
