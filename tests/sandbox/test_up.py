"""The sandbox as people start it: what it says when it cannot start, and that it stops without a trace."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from infra.sandbox.buckets import BucketError, SandboxBucket
from infra.sandbox.ports import HOST
from infra.sandbox.swift.servers import SwiftServers

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
ANY_PORTS = {"SANDBOX_ARCHIVE_PORT": "0", "SANDBOX_S3_PORT": "0", "SANDBOX_PREFECT_PORT": "0"}
UP = [sys.executable, "-m", "infra.sandbox", "up"]
IS_UP = "The sandbox is up."


def environment(state: Path, **variables: str) -> dict[str, str]:
    return {**os.environ, **ANY_PORTS, "SANDBOX_STATE": str(state), **variables}


@contextmanager
def started(state: Path, *, until: str = IS_UP) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """Start a sandbox and wait until it says `until`."""
    sandbox = subprocess.Popen(
        UP, cwd=ROOT, env=environment(state), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert sandbox.stdout is not None
        said = []
        for line in sandbox.stdout:
            said.append(line)
            if until in line:
                break
        else:
            pytest.fail("".join(said))
        yield sandbox, psutil.Process(sandbox.pid).children(recursive=True)
    finally:
        sandbox.terminate()
        sandbox.communicate()


def wait_until_gone(processes: list[psutil.Process], timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while left := [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]:
        assert time.monotonic() < end, left
        time.sleep(0.05)


def test_busy_port_is_reported_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        port = str(server.getsockname()[1])

        done = subprocess.run(
            UP,
            cwd=ROOT,
            env=environment(tmp_path, SANDBOX_PREFECT_PORT=port),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 2
    assert f"Port {port} for the Prefect server is in use. Set SANDBOX_PREFECT_PORT" in done.stdout
    assert not list((tmp_path / "logs").iterdir())


def first_scheduled_start(state: Path) -> datetime:
    """Wait for the scheduler and return when it will start the next run."""
    variables = dict(re.findall(r"export (\w+)=(\S+)", (state / "env").read_text()))
    wanted = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}, "sort": "EXPECTED_START_TIME_ASC"}
    end = time.monotonic() + 60
    while time.monotonic() < end:
        runs = httpx.post(f"{variables['PREFECT_API_URL']}/flow_runs/filter", json=wanted, timeout=30).json()
        if runs:
            return datetime.fromisoformat(runs[0]["expected_start_time"])
        time.sleep(0.2)
    pytest.fail("The scheduler has scheduled nothing.")


def test_an_endpoint_without_its_storage_is_not_taken_for_one_that_can_be_used(tmp_path: Path) -> None:
    servers = SwiftServers(tmp_path, 0, access_key="sandbox", secret_key="sandbox-secret")
    bucket = SandboxBucket(servers.url, "mirror", access_key="sandbox", secret_key="sandbox-secret")
    with servers:
        # Other tests of this worker may have a Swift of their own.
        (storage,) = [one for one in psutil.Process().children() if {"object", str(tmp_path)} <= set(one.cmdline())]
        storage.kill()
        storage.wait()

        assert not httpx.get(servers.url, trust_env=False).is_server_error
        with pytest.raises(BucketError, match="yet"):
            bucket.prepare()

        servers.kill()
        servers.start()
        bucket.prepare()
        bucket.prepare()


@pytest.mark.timeout(600)
def test_schedules_stops_on_ctrl_c_and_on_kill_9_and_starts_again_on_the_same_state(tmp_path: Path) -> None:
    with started(tmp_path) as (sandbox, family):
        second = subprocess.run(
            UP, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=False
        )
        # With SQLAlchemy 2.1 Prefect 3.8.8 came up like this, and never scheduled a run.
        assert first_scheduled_start(tmp_path).minute == 10

        sandbox.send_signal(signal.SIGINT)

        said, _ = sandbox.communicate(timeout=20)
        assert sandbox.returncode == 128 + signal.SIGINT
        assert "everything has stopped" in said
        assert len(family) >= 8
        wait_until_gone(family, timeout_s=0.5)
    assert second.returncode == 2
    assert "Another sandbox is using" in second.stdout

    with started(tmp_path, until="S3 endpoint: ") as (sandbox, family):
        sandbox.kill()

        assert len(family) >= 8
        wait_until_gone(family, timeout_s=15)
