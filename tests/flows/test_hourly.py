"""The deployed hourly flow, through a real Prefect server and worker, into real S3 servers."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from infra.sandbox.archive.config import DEFAULT_TOKEN
from onc_mirror.hour import mirror_hour
from onc_mirror.ledger import open_ledger
from onc_mirror.mirror import open_mirror
from onc_mirror.report.document import RunReport
from onc_mirror.run.gathering import MirrorRequest
from tasks.starting import TOKEN_BLOCK
from tests.support.flow_runs import Deployed, rows_of, secret_block, texts_below, use
from tests.support.raw_server import unused_url
from tests.support.receivers import running_hook
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from infra.sandbox.orchestrator import FlowRun
    from tests.support.flow_runs import ArchiveControl

DEVICE = "TUMPMTSPECTROMETER001"
QUIET_DEVICE = "TUMSTANDARDMODULE001"


def last_report(deployed: Deployed) -> RunReport:
    with open_ledger(deployed.settings.ledger) as ledger:
        text = ledger.report(ledger.runs(1)[0].run_id)
    assert text is not None
    return RunReport.from_json(text)


def hour() -> dict[str, str]:
    """A window that ends on the last full hour, so that two runs list the same."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return {"since": (end - timedelta(hours=1)).isoformat(), "until": end.isoformat()}


def test_an_hour_of_all_deployed_devices_is_mirrored_once(
    deployed_everywhere: Deployed, archive: ArchiveControl
) -> None:
    deployed = deployed_everywhere

    first = deployed.run()

    report = last_report(deployed)
    before = deployed.objects()
    raw = {key for key in before if key.startswith("raw/")}
    assert (first.state_type, first.state_name) == ("COMPLETED", "Completed")
    assert len(report.devices) == 10
    assert len(raw) == report.mirrored >= 20
    for key in raw:
        assert hashlib.sha256(deployed.read(key)).hexdigest() == archive.true_sha256(key.rpartition("/")[2])
    (stored,) = [key for key in before if key.startswith("reports/mirror-hour/")]
    assert RunReport.from_json(deployed.read(stored).decode()) == report
    archive.clear()

    with open_mirror(deployed.settings) as mirror:
        second = mirror_hour(mirror, MirrorRequest(until=report.until))

    assert (second.exit_code, second.mirrored, second.already > 0) == (0, 0, True)
    assert deployed.objects() == before
    assert not [one for one in archive.requests() if one["endpoint"] == "download"]


def test_bad_files_and_devices_are_told_as_by_the_run_in_one_process_and_cost_nobody_else(
    deployed: Deployed, archive: ArchiveControl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.fault("bit-flip", filename=f"{DEVICE}_*-SDAQ-CAMERA.hdf5")
    archive.fault("html", filename=f"{DEVICE}_*-SDAQ-PMTSPEC.hdf5")
    archive.fault("not-ready", filename=f"{DEVICE}_*-SDAQ-MODULE.hdf5")
    archive.fault("server-error", device="TUMLIDAR001", endpoint="device")
    devices, window = (DEVICE, QUIET_DEVICE, "TUMLIDAR001"), hour()

    with running_hook() as hook:
        deployed.environment["ONC_MIRROR_ALERT_WEBHOOK"] = hook.url
        run = deployed.run(devices=list(devices), **window)

    (told,) = hook.came
    assert (told["cause"], told["alerts"][0]["subject"]) == ("quarantine", DEVICE)
    assert told["alerts"][0]["run_url"] == f"{deployed.sandbox.options.prefect_url}/runs/flow-run/{run.id}"
    report = last_report(deployed)
    assert (run.state_type, run.state_name) == ("FAILED", "Failed")
    assert "1 of 3 devices not listed (archive-busy): TUMLIDAR001." in run.message
    assert (report.mirrored, report.quarantined, report.failed, report.held) == (3, 1, 1, 1)
    plan = deployed.table(run, "mirror-on-demand-plan")
    assert (sum(row["files"] for row in plan), sum(row["bytes"] for row in plan) > report.bytes) == (6, True)
    attention = deployed.table(run, "mirror-on-demand-attention")
    assert {row["reason"] for row in attention} == {"archive-busy", "undecodable-chunk", "wrong-body", "not-ready"}
    assert all(row["what happened"] for row in attention)
    assert [row["device"] for row in deployed.table(run, "mirror-on-demand-devices")] == sorted(report.devices)
    standing = {row["device"]: row for row in deployed.table(run, "mirror-on-demand-standing")}
    assert standing[DEVICE]["why"] == "1 not-ready, 1 undecodable-chunk, 1 wrong-body"
    assert (standing[DEVICE]["held"], standing[DEVICE]["quarantined"], standing[QUIET_DEVICE]["held"]) == (2, 1, 0)
    assert standing["TUMLIDAR001"]["trouble"] == "archive-busy"
    waiting = deployed.table(run, "mirror-on-demand-waiting")
    assert {(row["state"], row["reason"]) for row in waiting} == {
        ("held", "not-ready"), ("held", "wrong-body"), ("quarantined", "undecodable-chunk")
    }  # fmt: skip
    assert not [key for key in deployed.objects("raw/") if key.endswith(("CAMERA.hdf5", "PMTSPEC.hdf5"))]
    # The server writes task runs down some time after they ended.
    wait_until(lambda: sorted(states_of("mirror ", deployed, run)) == ["COMPLETED"] * 5 + ["FAILED"], timeout_s=60)
    assert states_of(f"download {DEVICE} {DEVICE}_", deployed, run).count("FAILED") == 2
    assert states_of("list TUMLIDAR001", deployed, run) == ["FAILED"]
    wait_until(
        lambda: levels_of("file=", deployed, run) == {"mirrored": 20, "quarantined": 30, "failed": 30, "held": 30}
    )
    assert levels_of("device=", deployed, run) == {"failed": 40}
    metrics = (deployed.settings.state_dir / "onc-mirror.prom").read_text("utf-8").splitlines()
    assert f'onc_mirror_worked_files_total{{device="{DEVICE}",outcome="quarantined"}} 1.0' in metrics
    assert [line for line in metrics if "archive-busy" in line] == [
        'onc_mirror_retries_total{cause="archive-busy"} 2.0'
    ]
    assert 'onc_mirror_runs_total{flow="mirror-on-demand",state="failed"} 1.0' in metrics
    alone = mirrored_alone(deployed, tmp_path / "alone", monkeypatch, window, devices)
    assert comparable(alone) == comparable(report)


def levels_of(begin: str, deployed: Deployed, run: FlowRun) -> dict[str, int]:
    """The level at which each decision is told in the run's log, in lines that begin so."""
    told = [
        (level, re.search(r" decision=(\S+)", line))
        for level, line in deployed.log_lines(run)
        if line.startswith(begin)
    ]
    return {found.group(1): level for level, found in told if found}


def states_of(task_run_name: str, deployed: Deployed, run: FlowRun) -> list[str]:
    return [row["state_type"] for row in deployed.task_runs(run) if row["name"].startswith(task_run_name)]


def test_a_dead_archive_ends_the_flow_as_it_ends_the_run_in_one_process_and_is_told_in_its_log(
    deployed: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = hour()
    dead = use(
        Deployed(deployed.sandbox, deployed.environment | {"ONC_MIRROR_ARCHIVE_URL": unused_url()}), monkeypatch
    )
    run = dead.run(**window)
    by_flow = last_report(dead)

    alone = mirrored_alone(dead, tmp_path / "alone", monkeypatch, window)

    assert run.state_type == "FAILED"
    assert {error.reason for error in by_flow.errors} == {"connection-refused"}
    assert comparable(by_flow) == comparable(alone)
    # The server writes logs down some time after they were said.
    wait_until(lambda: len(waits_told(dead, run)) == 2, timeout_s=60)
    assert not states_of("list ", dead, run)


def mirrored_alone(
    deployed: Deployed, state: Path, patch: pytest.MonkeyPatch, window: dict[str, str], devices: tuple[str, ...] = ()
) -> RunReport:
    """The report of the same run in this process, with a state and a store of its own."""
    patch.setenv("ONC_MIRROR_STORE_URL", f"{deployed.settings.store_url}-alone")
    patch.setenv("ONC_MIRROR_STATE_DIR", str(state))
    since, until = (datetime.fromisoformat(window[end]) for end in ("since", "until"))
    with open_mirror(deployed.settings) as mirror:
        return mirror_hour(mirror, MirrorRequest(since, until, devices=devices))


def waits_told(deployed: Deployed, run: FlowRun) -> list[str]:
    return [line for line in deployed.log(run) if line.startswith("retry_in_s=") and "connection-refused" in line]


def comparable(report: RunReport) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(report.to_json())
    return {key: value for key, value in content.items() if key not in {"run_id", "seconds"}}


def test_the_token_is_nowhere_however_requests_fail(deployed: Deployed, archive: ArchiveControl) -> None:
    for kind, tail in (("reset", "CAMERA"), ("stall", "PMTSPEC"), ("html", "MODULE"), ("server-error", "MINISPEC")):
        archive.fault(kind, filename=f"{DEVICE}_*-SDAQ-{tail}.hdf5")
    archive.fault("connect-timeout", filename=f"{DEVICE}_*-SDAQ-TRBCOUNTER.hdf5", seconds=5)
    archive.fault("garbled-json", device="TUMLIDAR001", endpoint="device")
    archive.fault("status", device="TUMLIDAR002", endpoint="device", status=403)
    impatient = {"ONC_MIRROR_STALL_TIMEOUT_S": "1", "ONC_MIRROR_CONNECT_TIMEOUT_S": "1"}
    from_prefect = Deployed(deployed.sandbox, deployed.environment | impatient | {"ONC_TOKEN": ""})
    with secret_block(deployed.sandbox, TOKEN_BLOCK, DEFAULT_TOKEN):
        run = from_prefect.run(devices=[DEVICE, "TUMLIDAR001", "TUMLIDAR002"], **hour())

    assert run.state_type == "FAILED"
    assert "TUMLIDAR001" in run.message  # and with a token that the archive accepts
    home = deployed.sandbox.options.state
    written = texts_below(home / "prefect") | texts_below(home / "logs") | texts_below(deployed.settings.state_dir)
    assert any("prefect.db" in path for path in written)
    assert any("worker" in path for path in written)
    leaks = [path for path, content in written.items() if DEFAULT_TOKEN.encode() in content]
    leaks += [key for key in deployed.objects() if DEFAULT_TOKEN.encode() in deployed.read(key)]
    (database,) = (home / "prefect").glob("prefect.db")
    assert run.id in rows_of(database)
    assert DEFAULT_TOKEN not in rows_of(database)
    assert not leaks
    assert DEFAULT_TOKEN not in httpx.get(f"{deployed.sandbox.options.prefect_url}/api/admin/version").text
