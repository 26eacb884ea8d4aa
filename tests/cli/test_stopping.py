"""Stopping the console script in the middle of a run: soon, tidily, and for the next run to go on."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.archive import RunningArchive
    from tests.support.console import Console

DEVICE = "TUMPMTSPECTROMETER001"
FIVE_FILES = ("mirror", "-d", DEVICE, "--since", "2022-05-02T11:00", "--until", "PT1H", "--json")
# Far less than the stall timeout of the console, far more than a busy machine needs.
SOON_S = 10.0


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=str,
)
def test_a_signal_stops_stalled_transfers_and_the_next_run_converges(
    console: Console, archive: RunningArchive, number: signal.Signals, code: int
) -> None:
    archive.fault(Kind.STALL, endpoint="download", filename="*-SDAQ-M*")  # two of the five
    with console.start(*FIVE_FILES) as process:
        wait_until(lambda: len(console.mirrored) == 3 and any(path.suffix == ".part" for path in console.scratch))
        process.send_signal(number)
        began = time.monotonic()
        out, err = process.communicate(timeout=SOON_S)
        seconds = time.monotonic() - began
    archive.faults.clear()

    stopped = console.run("status", "--json").json
    left = console.scratch
    following = console.run(*FIVE_FILES)

    assert (process.returncode, err.strip()) == (
        code,
        f"onc-mirror: stopped by {number.name}. Given again, it goes on from there.",
    )
    assert json.loads(out)["error"]["reason"] == "interrupted"
    assert seconds < SOON_S
    assert left == []
    assert (stopped["runs"][0]["state"], stopped["runs"][0]["reason"]) == ("failed", "interrupted")
    assert stopped["runs"][0]["finished_at"]
    assert stopped["devices"][0]["watermark"] is None
    assert (following.code, following.json["already"], following.json["mirrored"]) == (0, 3, 2)
    assert len(console.mirrored) == 5


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
