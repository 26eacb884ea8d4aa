"""The S3 endpoint of the sandbox as people start it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
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


def are_free(ports: range) -> bool:
    return all(is_free(port) for port in ports)


def servers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_endpoint_ends_with_who_started_it_or_one_of_its_servers_and_keeps_its_data(
    tmp_path: Path,
) -> None:
    ends = (signal.SIGTERM, signal.SIGKILL)  # Ctrl-C is tried on the whole sandbox
    for number, end in enumerate(ends):
        port = pick_free(PORTS)
        with started(tmp_path, port) as process:
            assert ready_line(process) == f"S3 endpoint http://{HOST}:{port} is ready; its data is in {tmp_path}.\n"
            client = Endpoint(f"http://{HOST}:{port}").client
            for earlier in ends[:number]:
                assert client.get_object(Bucket="kept", Key=earlier.name)["Body"].read() == b"bytes", earlier
            client.put_object(Bucket="kept", Key=end.name, Body=b"bytes")
            servers = servers_of(process)
            process.send_signal(end)
            code = process.wait(20)

        wait_until(partial(are_free, range(port, port + PORTS)))
        assert (len(servers), code) == (PORTS, -end if end is signal.SIGKILL else 0)

    with started(tmp_path, 0) as process:
        url = ready_line(process).split()[2]
        assert Endpoint(url).client.get_object(Bucket="kept", Key=ends[-1].name)["Body"].read() == b"bytes"
        (container,) = [server for server in servers_of(process) if "container" in server.cmdline()]
        container.kill()
        _, complaint = process.communicate(timeout=30)

    assert process.returncode == 1
    assert "container server has ended" in complaint


def test_busy_port_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    port = pick_free(PORTS)
    with socket.create_server((HOST, port + 2)), started(tmp_path, port) as process:
        _, complaint = process.communicate(timeout=30)

    assert process.returncode == 2
    assert complaint == f"Port {port + 2} is in use. Choose four free ones with --port FIRST, or --port 0.\n"
    assert not list(tmp_path.iterdir())


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
