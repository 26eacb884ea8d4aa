"""Runs that fail, end too late, are killed, and what is told of them by Prefect."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.alerts.hearing import AGAIN, CRASHED, FAILED, TIMED_OUT, told, told_by_both

if TYPE_CHECKING:
    from tests.alerts.hearing import Ears
    from tests.alerts.worlds import World
    from tests.support.receivers import Receiver

REJECTED = "onc-mirror: the archive rejects the token"


def failing_run(broken: World, by: Ears) -> str:
    """The archive takes the token no more; Prefect tells of the run, and the mirror of the cause."""
    broken.archive.fault("token-revoked")
    run = broken.end(broken.begin())
    said = told_by_both("failed run", broken.ended_at(run), by, FAILED)
    cause = told_by_both("its cause, from the start of the run", broken.started_at(run), by, REJECTED)
    posted, mailed = (_last(one, FAILED) for one in (by.http, by.smtp))
    return f"{said}; {cause}" + ("" if posted == mailed else "; the mail is NOT what was posted")


def second_failure(broken: World, by: Ears) -> str:
    """It fails again, and nobody is told again."""
    before = len(by.messages)
    broken.end(broken.begin())
    time.sleep(10)
    again = [one.subject for one in by.messages[before:] if one.subject in {FAILED, REJECTED}]
    return f"second failure: {f'NOT quiet, but {again}' if again else 'no message'} within 10 s"


def recovery(broken: World, by: Ears) -> str:
    """The archive takes the token again."""
    broken.archive.clear()
    run = broken.end(broken.begin())
    return told("works again", broken.ended_at(run), by.http, AGAIN)


def timed_out_run(broken: World, by: Ears) -> str:
    """A run ends as one does that takes longer than its flow allows; ours have no such limit."""
    at = broken.end_as({"type": "FAILED", "name": "TimedOut", "message": "Flow run exceeded timeout of 1 second(s)"})
    return told_by_both("run that timed out", at, by, TIMED_OUT)


def killed_flow(broken: World, by: Ears) -> str:
    """Kill -9 of the run."""
    return told_by_both("kill -9 of the flow", broken.kill_flow(broken.stalled()), by, CRASHED)


def killed_flow_and_worker(broken: World, by: Ears) -> str:
    """Kill -9 of both; the run that worked before is what the message comes after."""
    run = broken.stalled()
    broken.kill_worker()
    return told_by_both("kill -9 of flow and worker", broken.kill_flow(run), by, CRASHED)


def _last(receiver: Receiver, subject: str) -> list[str]:
    return [one for one in receiver.messages if one.subject == subject][-1].body.strip().splitlines()
