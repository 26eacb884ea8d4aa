"""What people are told in words, wherever they read it: terminal, Prefect, sandbox. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.flow_names import OF_DAYS
from onc_mirror.model import TimeWindow
from onc_mirror.utc import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onc_mirror.report.document import RunReport

_UNIT = 1000.0
_UNITS = ("kB", "MB", "GB", "TB", "PB")
MOST_NAMES = 5
"""Files or devices that a sentence names, of however many."""


def closing_sentence(report: RunReport) -> str:
    """The sentence or two that a run ends in, which account for every file and device; zeros are left out.

    A run that had nothing to do says so; one over days of data names what is not in order. Errors of the run itself
    are told in their own words.
    """
    troubles = [error.detail for error in report.errors if not error.device]
    told = [_accounts(report)] if report.listed or not troubles else []
    return " ".join([*told, *_exceptions(report), *_unlisted(report), *troubles])


def size_text(size_bytes: float) -> str:
    """A size for people, decimal units.

    >>> size_text(24_000_000)
    '24.0 MB'
    >>> size_text(999_999)
    '1.0 MB'
    """
    if size_bytes < _UNIT:
        return f"{int(size_bytes)} B"
    power = 1
    while round(size_bytes / _UNIT**power, 1) >= _UNIT and power < len(_UNITS):
        power += 1
    return f"{size_bytes / _UNIT**power:.1f} {_UNITS[power - 1]}"


def counted(number: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "file"), counted(0, "file")
    ('1 file', '0 files')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def some_of(names: Sequence[str], *, most: int = MOST_NAMES, total: int | None = None) -> str:
    """The first names, and how many more there are.

    Args:
        names: All, or the first.
        most: How many are told.
        total: How many there are; None: as many as names.

    >>> some_of(["a", "b", "c"]), some_of(["a", "b", "c"], most=2), some_of(["a", "b"], total=5)
    ('a, b, c', 'a, b and 1 more', 'a, b and 3 more')
    """
    rest = (len(names) if total is None else total) - len(names[:most])
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def duration_text(seconds: float) -> str:
    """A duration for people, in its two largest units.

    >>> duration_text(42), duration_text(3600), duration_text(9000), duration_text(200_000)
    ('42 s', '1 h', '2 h 30 min', '2 d 7 h')
    """
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    days, hours = divmod(hours, 24)
    units = {"d": days, "h": hours, "min": 0 if days else minutes}
    return " ".join(f"{number} {unit}" for unit, number in units.items() if number)


def printable(text: str, *, keep: str = "") -> str:
    r"""Return `text` with all escaped that could move a cursor, hide something or is in no UTF-8.

    Archives list any bytes as names.

    Args:
        text: Whatever somebody wrote.
        keep: What stays as it is all the same, such as the ends of lines.

    >>> print(printable("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in keep else ascii(sign)[1:-1] for sign in text)


def days_text(days: TimeWindow) -> str:
    """Whole days of data.

    >>> from datetime import UTC, datetime
    >>> from onc_mirror.model import TimeWindow
    >>> days_text(TimeWindow(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)))
    'data of 2026-11-20 to 2026-11-22'
    """
    return f"data of {days.since:%Y-%m-%d} to {days.until - timedelta(days=1):%Y-%m-%d}"


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
