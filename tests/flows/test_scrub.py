"""The deployed scrub, through a real Prefect server and worker: what it mends, and what is seen of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from onc_mirror.store import open_store

if TYPE_CHECKING:
    from infra.sandbox.orchestrator import FlowRun
    from tests.support.flow_runs import ArchiveControl, Deployed

DEVICE = "TUMSTANDARDMODULE001"
DAILY = "scrub/daily"


def test_what_was_lost_in_the_bucket_is_fetched_again_and_told(deployed: Deployed, archive: ArchiveControl) -> None:
    missing, *_ = keys = deployed.mirror_without_prefect(DEVICE, hours=3)
    with open_store(deployed.settings) as store:
        store.delete(missing)
    archive.clear()

    run = deployed.run(DAILY)

    assert (run.state_type, run.state_name) == ("COMPLETED", "Completed"), run.message
    assert f"{len(keys)} of {len(keys)} objects (" in run.message
    assert "1 fetched again" in run.message
    assert sorted(deployed.objects("raw/")) == keys
    (row,) = deployed.table(run, "scrub-findings")
    assert (row["file"], row["outcome"]) == (missing.rpartition("/")[2], "mirrored")
    assert any(key.startswith("reports/scrub/") for key in deployed.objects("reports/"))
    shown = artifacts(deployed, run)
    assert float(shown["scrub-progress"]) == 100.0
    assert f"`{deployed.settings.store_url}/reports/scrub/`" in shown["scrub-summary"]


def artifacts(deployed: Deployed, run: FlowRun) -> dict[str, Any]:
    """What each artifact of a run shows, by its key."""
    wanted = {"artifacts": {"flow_run_id": {"any_": [run.id]}}}
    url = f"{deployed.sandbox.options.prefect_url}/api/artifacts/filter"
    found = httpx.post(url, json=wanted, timeout=30, trust_env=False).raise_for_status().json()
    return {one["key"]: one["data"] for one in found}
