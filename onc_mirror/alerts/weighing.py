"""What the end of one run says is wrong, and what it says is right again. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onc_mirror.alerts.causes import Cause
from onc_mirror.errors import TokenRejectedError
from onc_mirror.flow_names import CHECKS, HOURLY, SCHEDULED, SCRUB
from onc_mirror.guard import UNLIKELY
from onc_mirror.report.document import LOST, NO_DEVICE, OTHER_CONTENT
from onc_mirror.report.words import closing_sentence

if TYPE_CHECKING:
    from datetime import datetime

    from onc_mirror.report.document import RunReport

_LOSSES = frozenset({LOST, OTHER_CONTENT})


@dataclass(frozen=True, slots=True)
class SeenRun:
    """A run that is over, with its report read: what `ledger.alerts.EndedRun` has as text.

    Attributes:
        run_id: The run.
        flow: What ran.
        started_at: When it began, UTC.
        link: Where it can be looked at, or empty.
        report: Its report; None: it was killed.
    """

    run_id: str
    flow: str
    started_at: datetime
    link: str
    report: RunReport | None


@dataclass(slots=True)
class Weighed:
    """What a run says.

    Attributes:
        wrong_at_once: Causes with subject and detail that are an alert the first time.
        wrong_in_a_row: Those that are one when it goes on.
        right: Causes with subject of which it says that they are over.
        right_everywhere: Causes of which it says so for every subject.
    """

    wrong_at_once: list[tuple[Cause, str, str]] = field(default_factory=list)
    wrong_in_a_row: list[tuple[Cause, str, str]] = field(default_factory=list)
    right: list[tuple[Cause, str]] = field(default_factory=list)
    right_everywhere: list[Cause] = field(default_factory=list)


def weigh(run: SeenRun) -> Weighed:
    """Say what the end of a run says."""
    weighed, report = Weighed(), run.report
    if report is None:
        if run.flow in SCHEDULED:
            weighed.wrong_in_a_row.append((Cause.RUNS_FAIL, run.flow, "It was killed."))
        return weighed
    if report.is_interrupted:
        return weighed
    if rejected := [error.detail for error in report.errors if error.reason == TokenRejectedError.reason]:
        weighed.wrong_at_once.append((Cause.TOKEN_REJECTED, "", rejected[0]))
        return weighed
    if _was_answered(report):
        weighed.right.append((Cause.TOKEN_REJECTED, ""))
    if run.flow == HOURLY:
        _weigh_devices(weighed, report)
    if run.flow in CHECKS:
        _weigh_check(weighed, run.flow, report)
    if run.flow in SCHEDULED:
        _weigh_failure(weighed, run.flow, report)
    return weighed


def _was_answered(report: RunReport) -> bool:
    """Whether the archive has listed something, so that it knows the token."""
    return report.flow != SCRUB and bool(_listed(report))


def _listed(report: RunReport) -> set[str]:
    return set(report.devices) - {error.device for error in report.errors}


def _weigh_devices(weighed: Weighed, report: RunReport) -> None:
    listed = _listed(report)
    if not listed:
        return  # what keeps all from being listed is no trouble of each device
    weighed.right += [(Cause.DEVICE_UNLISTED, device) for device in sorted(listed)]
    unlisted = {error.device: error.detail for error in report.errors if error.device != NO_DEVICE}
    weighed.wrong_in_a_row += [(Cause.DEVICE_UNLISTED, device, detail) for device, detail in unlisted.items()]


def _weigh_check(weighed: Weighed, flow: str, report: RunReport) -> None:
    unlikely = [error.detail for error in report.errors if error.reason == UNLIKELY]
    if unlikely:
        weighed.wrong_at_once.append((Cause.UNLIKELY_CHANGE, flow, unlikely[0]))
    elif report.exit_code != 1:
        weighed.right.append((Cause.UNLIKELY_CHANGE, flow))
    lost: dict[str, list[str]] = {}
    for error in report.errors:
        if error.reason in _LOSSES:
            lost.setdefault(error.device, []).append(error.detail)
    weighed.wrong_at_once += [(Cause.LOST, device, " ".join(details)) for device, details in lost.items()]
    if not lost and report.exit_code != 1:
        weighed.right_everywhere.append(Cause.LOST)


def _weigh_failure(weighed: Weighed, flow: str, report: RunReport) -> None:
    if _failed_as_a_whole(report):
        weighed.wrong_in_a_row.append((Cause.RUNS_FAIL, flow, closing_sentence(report)))
    else:
        weighed.right.append((Cause.RUNS_FAIL, flow))


def _failed_as_a_whole(report: RunReport) -> bool:
    """Whether it failed for more than what has a cause of its own: single devices, what is lost, the guard."""
    if report.exit_code != 1 or any(error.reason == UNLIKELY for error in report.errors):
        return False
    if any(error.device == NO_DEVICE for error in report.errors) or report.failed:
        return True
    others = [error for error in report.errors if error.reason not in _LOSSES]
    return bool(others) and (report.flow in CHECKS or not _listed(report))
