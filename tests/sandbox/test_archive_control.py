"""The stand-in's own paths, and the command that starts it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from tests.support.asking import ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.archive import RunningArchive

NAME = "ONCMJB016_20220502T090000.000Z.txt"


def test_faults_are_added_listed_and_removed_over_http(archive: RunningArchive) -> None:
    control = f"{archive.url}_sandbox/faults"

    added = ask(
        control, method="POST", body=[{"kind": "stall", "filename": NAME}, {"kind": "server-error", "count": 1}]
    )
    first, second = added.json["numbers"]

    assert added.status == 201
    assert ask(archive.api("deployments")).status == 500
    assert ask(control).json == [{"number": first, "kind": "stall", "filename": NAME}]
    assert ask(f"{control}/{first}", method="DELETE").json == {"removed": True}
    assert ask(f"{control}/{second}", method="DELETE").status == 404
    assert ask(control).json == []


@pytest.mark.parametrize("body", [None, {}, {"kind": "nonsense"}, {"kind": "stall", "typo": 1}])
def test_a_fault_that_is_none_is_refused(archive: RunningArchive, body: object) -> None:
    answer = ask(f"{archive.url}_sandbox/faults", method="POST", body=body)

    assert answer.status == 400
    assert answer.json["errors"]


def test_all_faults_are_cleared_over_http(archive: RunningArchive) -> None:
    ask(f"{archive.url}_sandbox/faults", method="POST", body={"kind": "stall"})

    ask(f"{archive.url}_sandbox/faults", method="DELETE")

    assert archive.faults.all() == {}


def test_the_clock_is_set_over_http(archive: RunningArchive) -> None:
    control = f"{archive.url}_sandbox/clock"

    still = ask(control, method="POST", body={"now": "2021-07-12T05:00:00Z"}).json
    running = ask(control, method="POST", body={"now": "2021-07-12T05:00:00Z", "running": True}).json

    assert still == {"now": "2021-07-12T05:00:00.000Z"}
    assert running["now"].startswith("2021-07-12T05:00:0")
    assert ask(control, method="POST", body={"now": "soon"}).status == 400


def test_the_log_over_http_has_no_token_and_can_be_emptied(archive: RunningArchive) -> None:
    ask(archive.api("archivefile/download", filename=NAME))
    control = f"{archive.url}_sandbox/requests"

    log = ask(control)

    assert [served["filename"] for served in log.json] == [NAME]
    assert archive.token.encode() not in log.body
    ask(control, method="DELETE")
    assert ask(control).json == []


def test_the_truth_about_a_file_is_told_whatever_the_faults(archive: RunningArchive) -> None:
    ask(f"{archive.url}_sandbox/faults", method="POST", body={"kind": "zero-length"})

    truth = ask(f"{archive.url}_sandbox/files/{NAME}").json

    assert truth["row"] == archive.row(NAME)
    assert truth["size"] == truth["row"]["uncompressedFileSize"]
    assert truth["sha256"] == sha256(archive.true_bytes(NAME)).hexdigest() == archive.true_sha256(NAME)
    assert ask(f"{archive.url}_sandbox/files/nothing.txt").status == 404


@contextmanager
def _command(state: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "infra.sandbox.archive", "--state", str(state), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_its_url_serves_and_stops_at_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with _command(tmp_path, "--port", "0", "--token", "my-token", "--now", "2022-05-02T12:00:00") as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        listing = f"{url}api/archivefile/device?deviceCode=ONCMJB016&dateFrom=-PT3H&token="

        assert ask(f"{listing}my-token").names[0].startswith("ONCMJB016_20220502T09")
        assert ask(f"{listing}other").status == 401
        began = time.monotonic()
        process.send_signal(number)

        assert process.wait(10) == 0
        assert time.monotonic() - began < 5


def test_a_busy_port_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with _command(tmp_path, "--port", port) as process:
            _, complaint = process.communicate(timeout=20)

    assert process.returncode == 2
    assert complaint.count("\n") == 1
    assert port in complaint
