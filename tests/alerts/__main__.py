"""Breaks a deployed mirror in every way that Prefect can tell of, and measures how long each message takes.

    python -m tests.alerts                                   everything, one after the other
    python -m tests.alerts killed_server refused_message     only these

A sandbox of its own: a real Prefect server, a process worker, `onc-mirror deploy`, HTTP and SMTP receivers. Takes
about fifteen minutes, as Prefect's shortest heartbeat is 30 seconds. Exit code 1 when a message did not come.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from infra.sandbox.archive.config import DEFAULT_TOKEN
from tests.alerts.worlds import HEARTBEAT_S, LONGEST_S, World, world
from tests.support.receivers import Hook, Receiver, running_hook, smtp_receiver
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    Measurement = Callable[[World, Hook, Receiver], str]

ZOMBIE_S = 3 * HEARTBEAT_S
NO_SUCCESS_S = 30
PREFECT_RETRIES = 3
UNLINKED_S = 310
"""An event of a state waits for that of the one before, if this is less than 5 minutes old. A server that was started
between has not seen it, and waits for 15 minutes (Prefect 3.8.8)."""

FAILED = "onc-mirror: mirror-hour/hourly failed"
CRASHED = "onc-mirror: mirror-hour/hourly crashed"
AGAIN = "onc-mirror: mirror-hour/hourly works again"
NO_SUCCESS = "onc-mirror: no success of mirror-hour"
SUCCEEDS = "onc-mirror: mirror-hour succeeds again"
UNDELIVERED = "onc-mirror: alert not delivered"


def main() -> int:
    """Break everything once, or what is named, and say how long each message took."""
    named = [one for one in MEASUREMENTS if one.__name__ in sys.argv[1:] or not sys.argv[1:]]
    with (
        tempfile.TemporaryDirectory(prefix="onc-mirror-alerts-") as folder,
        running_hook() as http,
        smtp_receiver() as smtp,
        world(Path(folder), zombie_s=ZOMBIE_S, no_success_s=NO_SUCCESS_S) as broken,
    ):
        broken.deploy(ONC_MIRROR_ALERT_WEBHOOK=http.url, ONC_MIRROR_ALERT_URLS=smtp.url)
        wrong = [_measure(one, broken, http, smtp) for one in named].count(False)
        leaks = [one for one in [*http.messages, *smtp.messages] if DEFAULT_TOKEN in one.subject + one.body]
    _say(f"{len(http.messages)} messages by HTTP, {len(smtp.messages)} by mail; the token in {len(leaks)} of them")
    return int(bool(wrong or leaks))


def _measure(one: Measurement, broken: World, http: Hook, smtp: Receiver) -> bool:
    try:
        line = one(broken, http, smtp)
    except (httpx.HTTPError, TimeoutError, LookupError) as error:
        line = f"{one.__name__}: NOT MEASURED ({type(error).__name__}: {error})"
    _say(f"{datetime.now(UTC):%H:%M:%S} {line}")
    return "NOT " not in line


def failing_run(broken: World, http: Hook, smtp: Receiver) -> str:
    """The archive takes the token no more."""
    broken.archive.fault("token-revoked")
    run = broken.end(broken.begin())
    ended = broken.ended_at(run)
    told = _told("failed run", ended, http, FAILED) + ";" + _told(" by mail", ended, smtp, FAILED)
    posted, mailed = (one.messages[-1].body.strip().splitlines() for one in (http, smtp))
    return told if posted == mailed else f"{told}; the mail is NOT what was posted"


def second_failure(broken: World, http: Hook, _: Receiver) -> str:
    """It fails again, and nobody is told again."""
    before = len(http.messages)
    broken.end(broken.begin())
    time.sleep(10)
    return f"second failure: {sum(one.subject == FAILED for one in http.messages[before:])} messages in 10 s"


def recovery(broken: World, http: Hook, _: Receiver) -> str:
    """The archive takes the token again."""
    broken.archive.clear()
    run = broken.end(broken.begin())
    return _told("works again", broken.ended_at(run), http, AGAIN)


def killed_flow(broken: World, http: Hook, _: Receiver) -> str:
    """Kill -9 of the run."""
    return _told("kill -9 of the flow", broken.kill_flow(broken.stalled()), http, CRASHED)


def killed_flow_and_worker(broken: World, http: Hook, _: Receiver) -> str:
    """Kill -9 of both; the run that worked before is what the message comes after."""
    run = broken.stalled()
    broken.kill_worker()
    said = _told("kill -9 of flow and worker", broken.kill_flow(run), http, CRASHED)
    return f"{said}, with a heartbeat of {HEARTBEAT_S} s and a patience of {ZOMBIE_S} s"


def no_worker(_: World, http: Hook, __: Receiver) -> str:
    """There is no worker since; that no run succeeds is told once."""
    last = max(one.at for one in http.messages if one.subject in {AGAIN, SUCCEEDS})
    said = _told("no worker", last, http, NO_SUCCESS)
    return f"{said} after the last success, with a patience of {NO_SUCCESS_S} s"


def a_worker_again(broken: World, http: Hook, _: Receiver) -> str:
    """A worker comes."""
    broken.archive.clear()
    broken.start_worker()
    run = broken.end(broken.begin())
    return _told("mirror-hour succeeds again", broken.ended_at(run), http, SUCCEEDS)


def killed_server(broken: World, _: Hook, __: Receiver) -> str:
    """Kill -9 of the server: nothing from Prefect; the outside check tells."""
    broken.archive.clear()
    broken.end(broken.begin())
    killed = broken.kill_server()
    while broken.is_alive(f"PT{NO_SUCCESS_S}S"):
        if time.time() - killed > LONGEST_S:
            return "kill -9 of the server: NOT TOLD"
    seconds = time.time() - killed
    broken.start_server()
    return f"kill -9 of the server: doctor --liveness --within PT{NO_SUCCESS_S}S says so after {seconds:.0f} s"


def dead_machine(broken: World, http: Hook, _: Receiver) -> str:
    """The whole machine died in the middle of a run, and comes back after the run's patience has passed."""
    broken.archive.clear()
    broken.end(broken.begin())
    run = broken.stalled()
    broken.kill_worker()
    broken.kill_server()
    killed = broken.kill_flow(run)
    time.sleep(max(0.0, killed + UNLINKED_S - time.time()))
    broken.start_server()
    return _told("kill -9 of flow, worker and server; from when the server is back", time.time(), http, CRASHED)


def refused_message(broken: World, http: Hook, _: Receiver) -> str:
    """The only receiver answers with an error, when a run fails, and then takes messages again."""
    broken.deploy(ONC_MIRROR_ALERT_WEBHOOK=http.url)
    broken.archive.fault("token-revoked")
    http.status, taken = 500, len(http.requests)
    broken.end(broken.begin())
    wait_until(lambda: len(http.requests) - taken > PREFECT_RETRIES, timeout_s=LONGEST_S)
    http.status = 200
    return _told("message refused", time.time(), http, UNDELIVERED) + f", with a patience of {ZOMBIE_S} s"


MEASUREMENTS: tuple[Measurement, ...] = (
    failing_run,
    second_failure,
    recovery,
    killed_flow,
    recovery,
    killed_flow_and_worker,
    no_worker,
    a_worker_again,
    killed_server,
    refused_message,
    dead_machine,
)


def _told(what: str, since: float, receiver: Receiver, subject: str) -> str:
    before = sum(one.at < since for one in receiver.messages)
    with contextlib.suppress(TimeoutError):
        return f"{what}: {receiver.wait_for(subject, after=before, timeout_s=LONGEST_S).at - since:.1f} s"
    return f"{what}: NOT TOLD"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
