"""What is scheduled: every entrypoint is a flow that loads, and the schedule is the documented one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.spreading import PART_DEPLOYMENT

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deployments" / "prefect.yaml"
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["deployments"]
DOCUMENTED = {
    "mirror-hour/hourly": "10 * * * *",
    "reconcile/nightly": "40 2 * * *",
    "reconcile/weekly": "40 4 * * 0",
    "scrub/daily": "20 6 * * *",
}
WITHOUT_SCHEDULE = ("backfill/backfill", "backfill-part/part")

# As a worker does: each in a process that has imported nothing of ours, without Prefect's stand-in for broken flows.
# Prefect alone takes seconds to import, so the processes are forked after that.
LOAD = """
import json, os, sys
from prefect.flows import load_flow_from_entrypoint
def load(entrypoint):
    flow = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    flow.validate_parameters({"since": "2026-01-01T00:00:00Z"} if "since" in flow.parameters.properties else {})
    print(json.dumps({"name": flow.name, "parameters": sorted(flow.parameters.properties)}))
for entrypoint in sys.argv[1:]:
    process = os.fork()
    if not process:
        load(entrypoint)
        sys.exit()
    if os.waitpid(process, 0)[1]:
        sys.exit(1)
"""


def load(entrypoints: list[str], home: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *entrypoints],
        cwd=ROOT,
        env={**os.environ, "PREFECT_HOME": str(home), "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_deployments_are_the_documented_ones(tmp_path: Path) -> None:
    by_entrypoint = list(dict.fromkeys(one["entrypoint"] for one in DEPLOYMENTS))
    loaded = dict(zip(by_entrypoint, load(by_entrypoint, tmp_path), strict=True))
    flows = [loaded[one["entrypoint"]] for one in DEPLOYMENTS]

    names = [f"{flow['name']}/{one['name']}" for flow, one in zip(flows, DEPLOYMENTS, strict=True)]
    assert names == [*DOCUMENTED, *WITHOUT_SCHEDULE]
    for flow, one in zip(flows, DEPLOYMENTS, strict=True):
        window = set() if flow["name"] == "scrub" else {"since", "until"}
        assert {*window, "devices", *one.get("parameters", ())} <= set(flow["parameters"])


def test_each_runs_when_it_is_said_to_and_never_twice_at_once() -> None:
    scheduled = [one for one in DEPLOYMENTS if "schedules" in one]
    for one, cron in zip(scheduled, DOCUMENTED.values(), strict=True):
        assert [(each["cron"], each["timezone"]) for each in one["schedules"]] == [(cron, "UTC")]
        assert one["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
    assert {one["work_pool"]["name"] for one in DEPLOYMENTS} == {"onc-mirror"}


def test_what_is_run_by_hand_may_run_at_any_time() -> None:
    by_hand = [one for one in DEPLOYMENTS if "schedules" not in one]

    assert [one["name"] for one in by_hand] == [name.partition("/")[2] for name in WITHOUT_SCHEDULE]
    assert not [one for one in by_hand if "concurrency_limit" in one]


def test_a_large_backfill_starts_runs_of_a_deployment_that_is_there() -> None:
    assert PART_DEPLOYMENT in WITHOUT_SCHEDULE


def test_nothing_else_begins_while_the_hourly_run_does() -> None:
    hourly, *others = (cron.split()[0] for cron in DOCUMENTED.values())

    assert others
    assert hourly not in others


def test_a_reconcile_reaches_back_as_far_as_it_is_said_to() -> None:
    days = {one["name"]: one["parameters"]["days"] for one in DEPLOYMENTS if "days" in one.get("parameters", {})}

    assert days == {"nightly": 7, "weekly": 90}


def test_nothing_is_left_to_fill_in() -> None:
    text = FILE.read_text(encoding="utf-8")

    assert DEPLOYMENTS
    assert not [mark for mark in ("{{", "TODO", "<", "null") if mark in text]


@pytest.mark.parametrize("path", sorted((ROOT / "flows").glob("*.py")), ids=lambda path: path.stem)
def test_flow_file_shadows_no_module(path: Path) -> None:
    """Prefect leaves `flows/` first on `sys.path` after loading a flow: a `flows/statistics.py` took that name."""
    installed = importlib.util.find_spec(path.stem) if path.stem != "__init__" else None

    assert path.stem not in sys.stdlib_module_names
    assert installed is None
