"""The Prefect server dies in the middle of a run, and comes back: the run goes on, and no file is lost or doubled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.orchestrator import DEPLOYMENT
from onc_mirror.hour import mirror_hour
from onc_mirror.ledger import open_ledger
from onc_mirror.mirror import open_mirror
from onc_mirror.report.document import RunReport
from onc_mirror.run.gathering import MirrorRequest
from tests.support.dead_server import without_prefect
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.flow_runs import ArchiveControl, Deployed

DEVICE = "TUMPMTSPECTROMETER001"
END = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
SINCE = END - timedelta(hours=1)


def downloads(archive: ArchiveControl) -> list[str]:
    return [one["filename"] for one in archive.requests() if one["endpoint"] == "download"]


def finished_report(deployed: Deployed) -> RunReport | None:
    with open_ledger(deployed.settings.ledger) as ledger:
        text = ledger.report(ledger.runs(1)[0].run_id)
    return None if text is None else RunReport.from_json(text)


# Were it cut off before its server is back, all other tests of the worker would fail, too.
@pytest.mark.timeout(900)
def test_a_run_whose_server_is_killed_goes_on_and_is_known_again_when_the_server_is_back(
    deployed: Deployed, archive: ArchiveControl
) -> None:
    archive.fault("latency", endpoint="download", seconds=1)
    orchestrator = deployed.sandbox.orchestrator
    asked = {"devices": [DEVICE], "since": SINCE.isoformat(), "until": END.isoformat()}
    run = orchestrator.trigger(DEPLOYMENT, parameters=asked, environment=deployed.environment)
    wait_until(lambda: bool(downloads(archive)), timeout_s=120)

    with without_prefect(deployed.sandbox):
        wait_until(lambda: finished_report(deployed) is not None, timeout_s=120)

    report = finished_report(deployed)
    assert report is not None
    assert (report.exit_code, report.attention, report.errors) == (0, (), ())
    raw = deployed.objects("raw/")
    assert report.mirrored == len(raw) == len(downloads(archive)) > 0
    wait_until(lambda: orchestrator.flow_run(run.id).is_final, timeout_s=120)
    assert orchestrator.flow_run(run.id).state_name == "CompletedOnDemand"
    archive.clear()

    with open_mirror(deployed.settings) as mirror:
        following = mirror_hour(mirror, MirrorRequest(SINCE, END, devices=(DEVICE,)))

    assert (following.already, following.mirrored, following.exit_code) == (len(raw), 0, 0)
    assert downloads(archive) == []
