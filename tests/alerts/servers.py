"""Workers, schedules and servers that die, and what is told of that, by Prefect or in its place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.alerts.hearing import AGAIN, CRASHED, FAILED, LONGEST_S, NO_SUCCESS, SUCCEEDS, UNDELIVERED, told
from tests.alerts.runs import REJECTED
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.alerts.hearing import Ears
    from tests.alerts.worlds import World

WITHIN = "PT30S"
TRIES = 4
DOWN_S = 120
"""Longer than the patience with a run that gives no sign of life."""


def no_worker(_: World, by: Ears) -> str:
    """There is no worker since the one was killed; that no run succeeds is told once."""
    last = max(one.at for one in by.http.messages if one.subject in {AGAIN, SUCCEEDS})
    return told("no worker, after the last success", last, by.http, NO_SUCCESS)


def a_worker_again(broken: World, by: Ears) -> str:
    """A worker comes."""
    broken.archive.clear()
    broken.start_worker()
    run = broken.end(broken.begin())
    return told("mirror-hour succeeds again", broken.ended_at(run), by.http, SUCCEEDS)


def scheduled_failure(broken: World, by: Ears) -> str:
    """A run fails that the scheduler has made just before it was due, so that no event of its making is known."""
    broken.archive.fault("token-revoked")
    began = time.time()
    broken.schedule(active=True)
    (ended, *_) = broken.scheduled_ends("FAILED", began)
    return told("run that the scheduler made a minute before it failed", ended, by.http, FAILED)


def paused_schedule(broken: World, by: Ears) -> str:
    """Runs of the schedule succeed, and then it is paused."""
    began = time.time()
    broken.archive.clear()
    broken.scheduled_ends("COMPLETED", began)
    broken.schedule(active=False)
    last = broken.scheduled_ends("COMPLETED", began)[-1]
    return told("paused schedule, after the last success", last, by.http, NO_SUCCESS)


def killed_server(broken: World, _: Ears) -> str:
    """Kill -9 of the server: nothing from Prefect; the outside check tells."""
    broken.archive.clear()
    last = broken.ended_at(broken.end(broken.begin()))
    broken.kill_server()
    seconds = _dead_at(broken) - last
    broken.start_server()
    return (
        f"kill -9 of the server: doctor --liveness --within {WITHIN} says so {seconds:.0f} s after the last success"
    )


def restarted_server(broken: World, by: Ears) -> str:
    """Kill -9 of the server in the middle of a run, which is killed when the server is back."""
    broken.archive.clear()
    broken.end(broken.begin())
    run = broken.stalled()
    broken.kill_server()
    broken.start_server()
    return told(
        "kill -9 of a flow whose server was killed and started again", broken.kill_flow(run), by.http, CRASHED
    )


def stopped_services(broken: World, by: Ears) -> str:
    """The scheduler and all that acts on events are dead, and the API lives, and the worker."""
    began = time.time()
    broken.archive.clear()
    broken.schedule(active=True)
    broken.scheduled_ends("COMPLETED", began)
    broken.kill_server()
    broken.start_server("--no-services")
    began, heard = time.time(), len(by.http.messages)
    broken.keep_scheduled(1)  # as when the hours have passed for which the scheduler has made runs beforehand
    broken.scheduled_ends("COMPLETED", began)
    dead = _dead_at(broken)
    seconds = dead - broken.scheduled_ends("COMPLETED", began)[-1]
    broken.archive.fault("token-revoked")
    run = broken.end(broken.begin())
    cause = told("the mirror's own alert, from the start of a run", broken.started_at(run), by.http, REJECTED)
    by_prefect = sum(one.subject in {NO_SUCCESS, FAILED} for one in by.http.messages[heard:])
    broken.archive.clear()
    broken.kill_server()
    broken.start_server()
    broken.schedule(active=False)
    return (
        f"services dead: a run made beforehand goes on; then doctor --liveness --within {WITHIN} says so"
        f" {seconds:.0f} s after the last success, the last ping; {cause}; messages of Prefect: {by_prefect}"
    )


def refused_message(broken: World, by: Ears) -> str:
    """The only receiver answers with an error, when a run fails, and then takes messages again."""
    broken.archive.clear()
    broken.end(broken.begin())
    broken.deploy(ONC_MIRROR_ALERT_WEBHOOK=by.http.url)
    broken.archive.fault("token-revoked")
    by.http.status, before = 500, _tries(by)
    broken.end(broken.begin())
    wait_until(lambda: _tries(by) - before >= TRIES, timeout_s=LONGEST_S)
    by.http.status = 200
    return told("message refused, from its last try", time.time(), by.http, UNDELIVERED)


def dead_machine(broken: World, by: Ears) -> str:
    """The whole machine died in the middle of a run, and comes back after the run's patience has passed."""
    broken.archive.clear()
    broken.end(broken.begin())
    run = broken.stalled()
    broken.kill_worker()
    broken.kill_server()
    killed = broken.kill_flow(run)
    time.sleep(max(0.0, killed + DOWN_S - time.time()))
    broken.start_server()
    return told("kill -9 of flow, worker and server; from when the server is back", time.time(), by.http, CRASHED)


def _dead_at(broken: World) -> float:
    """When the outside check said that the mirror does not live."""
    wait_until(lambda: not broken.is_alive(WITHIN), timeout_s=LONGEST_S)
    return time.time()


def _tries(by: Ears) -> int:
    return sum(FAILED in body for _, body in by.http.requests)
