"""Breaks a deployed mirror in every way that somebody is to be told of, and measures how long each message takes.

    python -m tests.alerts                                   everything, one after the other
    python -m tests.alerts killed_server refused_message     only these

A sandbox of its own: a real Prefect server, a process worker, `onc-mirror deploy`, HTTP and SMTP receivers. Takes
about half an hour, as Prefect's shortest heartbeat is 30 seconds. Exit code 1 when a message did not come.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from infra.sandbox.archive.config import DEFAULT_TOKEN
from tests.alerts import devices, runs, servers
from tests.alerts.hearing import Ears, ears
from tests.alerts.worlds import HEARTBEAT_S, World, world

if TYPE_CHECKING:
    from collections.abc import Callable

    Measurement = Callable[[World, Ears], str]

ZOMBIE_S = 3 * HEARTBEAT_S
NO_SUCCESS_S = 30

MEASUREMENTS: tuple[Measurement, ...] = (
    runs.failing_run,
    runs.second_failure,
    runs.recovery,
    runs.timed_out_run,
    runs.recovery,
    runs.killed_flow,
    runs.recovery,
    runs.killed_flow_and_worker,
    servers.no_worker,
    servers.a_worker_again,
    servers.scheduled_failure,
    servers.paused_schedule,
    devices.silent_device,
    devices.device_that_comes_back,
    devices.bad_file,
    devices.no_bad_file,
    devices.lost_object,
    devices.mended_object,
    servers.killed_server,
    servers.restarted_server,
    servers.stopped_services,
    servers.refused_message,
    servers.dead_machine,
)


def main() -> int:
    """Break everything once, or what is named, and say how long each message took."""
    named = [one for one in MEASUREMENTS if one.__name__ in sys.argv[1:] or not sys.argv[1:]]
    with (
        tempfile.TemporaryDirectory(prefix="onc-mirror-alerts-") as folder,
        ears() as by,
        world(
            Path(folder),
            zombie_s=ZOMBIE_S,
            no_success_s=NO_SUCCESS_S,
            voices={**by.addresses, "ONC_MIRROR_PING_URL": by.pings.url},
        ) as broken,
    ):
        broken.deploy(**by.addresses)
        wrong = [_measure(one, broken, by) for one in named].count(False)
        leaks = [one for one in by.messages if DEFAULT_TOKEN in one.subject + one.body]
    posted, mailed = len(by.http.messages), len(by.smtp.messages)
    _say(f"{posted} messages by HTTP, {mailed} by mail; the token in {len(leaks)} of them")
    return int(bool(wrong or leaks))


def _measure(one: Measurement, broken: World, by: Ears) -> bool:
    try:
        line = one(broken, by)
    except (httpx.HTTPError, TimeoutError, LookupError, subprocess.CalledProcessError) as error:
        line = f"{one.__name__}: NOT MEASURED ({type(error).__name__}: {error})"
    _say(f"{datetime.now(UTC):%H:%M:%S}, load {os.getloadavg()[0]:.0f}: {line}")
    return "NOT " not in line


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
