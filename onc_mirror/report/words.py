"""What people are told of a run, wherever they read it: a sentence or two that account for everything. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.flow_names import OF_DAYS
from onc_mirror.model import TimeWindow
from onc_mirror.utc import time_text
from onc_mirror.wording import MOST_NAMES, counted, days_text, size_text, some_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onc_mirror.report.document import RunReport


def closing_sentence(report: RunReport) -> str:
    """The sentence or two that a run ends in, which account for every file and device; zeros are left out.

    A run that had nothing to do says so; one over days of data names what is not in order. Errors of the run itself
    are told in their own words.
    """
    troubles = [error.detail for error in report.errors if not error.device]
    told = [_accounts(report)] if report.listed or not troubles else []
    return " ".join([*told, *_exceptions(report), *_unlisted(report), *troubles])


def _accounts(report: RunReport) -> str:
    lead = "" if report.is_noteworthy else "Nothing new: "
    asked = f" of {counted(len(report.devices), 'device')}" if report.devices else ""
    ends = ", ".join(_ends(report))
    took = f"{size_text(report.bytes)} in {report.seconds:.1f} s" if report.bytes else f"{report.seconds:.1f} s"
    files = counted(report.listed, "file") + asked
    listed = f"{report.listed - report.failed} of {files} accounted for" if _is_of_days(report) else f"{files} listed"
    listed += f", {report.taken_up} of them by earlier runs" if report.taken_up else ""
    return f"{lead}{listed}{_window(report)}{ends and f': {ends}'}; {took}."


def _is_of_days(report: RunReport) -> bool:
    return report.flow in OF_DAYS


def _window(report: RunReport) -> str:
    if _is_of_days(report) and report.since and report.until:
        return f", {days_text(TimeWindow(report.since, report.until))}"
    if not report.listed and {error.device for error in report.errors}.issuperset(report.devices):
        return ""  # nothing was looked at
    since, until = (time and time_text(time, "seconds") for time in (report.since, report.until))
    if since and until:
        return f", archived {since} to {until}"
    return f", archived up to {until}" if until else ""


def _ends(report: RunReport) -> Iterable[str]:
    counts = {
        "mirrored": report.mirrored,
        "already mirrored": report.already,
        "held": report.held,
        "quarantined": report.quarantined,
        "filtered": sum(report.filtered.values()),
        "gone": report.gone,
        "failed": report.failed,
    }
    rules = ", ".join(f"{number} by {rule}" for rule, number in report.filtered.items())
    for name, count in counts.items():
        if count:
            yield f"{count} {name} ({rules})" if name == "filtered" else f"{count} {name}"


def _unlisted(report: RunReport) -> Iterable[str]:
    errors = [error for error in report.errors if error.device]
    codes = tuple(dict.fromkeys(error.device for error in errors))
    if codes:
        reasons = ", ".join(dict.fromkeys(error.reason for error in errors))
        how = "not wholly listed" if _is_of_days(report) else "not listed"
        yield f"{len(codes)} of {counted(len(report.devices), 'device')} {how} ({reasons}): {some_of(codes)}."


def _exceptions(report: RunReport) -> Iterable[str]:
    if _is_of_days(report) and report.attention:
        names = [f"{file.filename} ({file.reason or file.decision})" for file in report.attention[:MOST_NAMES]]
        total = report.held + report.quarantined + report.gone + report.failed
        yield f"Look at {some_of(names, total=total)}."
