"""Stopping the console script in the middle of a run: soon, tidily, and for the next run to go on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.cli.stopping import MOMENT_S
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.archive import RunningArchive
    from tests.support.console import Console

DEVICE = "TUMPMTSPECTROMETER001"
FIVE_FILES = ("mirror", "-d", DEVICE, "--since", "2022-05-02T11:00", "--until", "PT1H", "--json")
# Far less than the stall timeout of the console, far more than a busy machine needs.
SOON_S = 10.0
STUBBORN = """
import time
from onc_mirror.cli.stopping import Stopper

Stopper().listen()
try:
    print("listens", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("was told to stop", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("under", "numbers"),
    [
        ((), (signal.SIGINT,)),
        (("timeout", "60"), (signal.SIGTERM,)),  # which signals the process, then its group
        ((), (signal.SIGHUP, signal.SIGTERM)),  # which the kernel does not make one of, as it may of two alike
    ],
    ids=["Ctrl-C", "timeout", "two at once"],
)
def test_signals_stop_stalled_transfers_and_the_next_run_converges(
    console: Console,
    archive: RunningArchive,
    under: tuple[str, ...],
    numbers: tuple[signal.Signals, ...],
) -> None:
    archive.fault(Kind.STALL, endpoint="download", filename="*-SDAQ-M*")  # two of the five
    with console.start(*FIVE_FILES, under=under) as process:
        wait_until(lambda: len(console.mirrored) == 3 and any(path.suffix == ".part" for path in console.scratch))
        for number in numbers:
            process.send_signal(number)
        began = time.monotonic()
        out, err = process.communicate(timeout=SOON_S)
        seconds = time.monotonic() - began
    archive.faults.clear()

    stopped = console.run("status", "--json").json
    left = console.scratch
    following = console.run(*FIVE_FILES)

    told = {128 + one: f"onc-mirror: stopped by {one.name}. Given again, it goes on from there." for one in numbers}
    assert told.get(process.returncode) == err.strip()
    assert json.loads(out)["error"]["reason"] == "interrupted"
    assert seconds < SOON_S
    assert left == []
    assert (stopped["runs"][0]["state"], stopped["runs"][0]["reason"]) == ("failed", "interrupted")
    assert stopped["runs"][0]["finished_at"]
    assert stopped["devices"][0]["watermark"] is None
    assert (following.code, following.json["already"], following.json["mirrored"]) == (0, 3, 2)
    assert len(console.mirrored) == 5


def test_a_process_that_does_not_stop_is_ended_by_a_signal_that_comes_later() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listens\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "was told to stop\n"
        began = time.monotonic()

        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)

    assert process.returncode == 143
    assert MOMENT_S - 0.2 < time.monotonic() - began < SOON_S


def test_a_signal_stops_a_listing_that_does_not_answer(console: Console, archive: RunningArchive) -> None:
    archive.fault(Kind.STALL, endpoint="device", after_bytes=0)
    with console.start("list", "-d", DEVICE) as process:
        wait_until(lambda: bool(archive.requests_for("device")))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SOON_S)

    assert (process.returncode, out, err.strip()) == (130, "", "onc-mirror: stopped by SIGINT.")


def test_a_signal_that_was_switched_off_stays_so(console: Console, archive: RunningArchive) -> None:
    archive.fault(Kind.STALL, endpoint="device", after_bytes=0)
    with console.start("list", "-d", DEVICE, ignoring=signal.SIGHUP) as process:
        wait_until(lambda: bool(archive.requests_for("device")))
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=SOON_S)

    assert (process.returncode, err.strip()) == (143, "onc-mirror: stopped by SIGTERM.")
