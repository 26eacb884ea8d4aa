"""The S3 endpoint of the sandbox as people start it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from infra.sandbox.ports import HOST, is_free, pick_free
from infra.sandbox.swift.keys import is_usable
from infra.sandbox.swift.servers import PORTS, SwiftError, SwiftServers
from tests.support.stores import ACCESS_KEY, SECRET_KEY, Endpoint
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def started(state: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    keys = ("--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, "--bucket", "kept")
    command = [sys.executable, "-m", "infra.sandbox.swift", "--state", str(state), "--port", str(port), *keys]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def ready_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def servers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda end: end.name)
def test_endpoint_ends_with_who_started_it_and_comes_back_with_its_data(tmp_path: Path, end: signal.Signals) -> None:
    first, second = pick_free(PORTS), pick_free(PORTS)
    with started(tmp_path, first) as process:
        assert ready_line(process) == f"S3 endpoint http://{HOST}:{first} is ready; its data is in {tmp_path}.\n"
        endpoint = Endpoint(f"http://{HOST}:{first}")
        endpoint.client.put_object(Bucket="kept", Key="key", Body=b"bytes")
        servers = servers_of(process)
        process.send_signal(end)
        code = process.wait(20)

    wait_until(lambda: all(is_free(port) for port in range(first, first + PORTS)))
    assert len(servers) == PORTS
    assert code == (-end if end is signal.SIGKILL else 0)

    with started(tmp_path, second) as process:
        assert ready_line(process)
        endpoint = Endpoint(f"http://{HOST}:{second}")
        assert endpoint.client.get_object(Bucket="kept", Key="key")["Body"].read() == b"bytes"


def test_busy_port_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    port = pick_free(PORTS)
    with socket.create_server((HOST, port + 2)), started(tmp_path, port) as process:
        _, complaint = process.communicate(timeout=30)

    assert process.returncode == 2
    assert complaint == f"Port {port + 2} is in use. Choose four free ones with --port FIRST, or --port 0.\n"
    assert not list(tmp_path.iterdir())


def test_server_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    with started(tmp_path, 0) as process:
        assert ready_line(process)
        (container,) = [server for server in servers_of(process) if "container" in server.cmdline()]
        container.kill()
        _, complaint = process.communicate(timeout=30)

    assert process.returncode == 1
    assert "container server has ended" in complaint


def test_access_key_that_swift_would_confuse_is_refused(tmp_path: Path) -> None:
    assert is_usable("test:tester")
    for key in ("v1", "AUTH_0"):
        with pytest.raises(SwiftError, match="access key"):
            SwiftServers(tmp_path, 0, access_key=key, secret_key=SECRET_KEY).start()


def test_secrets_are_not_in_the_files(tmp_path: Path) -> None:
    with SwiftServers(tmp_path, 0, access_key=ACCESS_KEY, secret_key=SECRET_KEY):
        files = [path for path in tmp_path.rglob("*") if path.is_file()]

    assert files
    assert not [path for path in files if SECRET_KEY.encode() in path.read_bytes()]
    assert SECRET_KEY not in os.environ.values()
