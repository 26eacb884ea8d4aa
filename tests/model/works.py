"""What a process of the mirror may do, through the functions that its commands and flows call."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.backfill.spanning import BackfillRequest
from onc_mirror.backfill.story import backfill
from onc_mirror.errors import SettingsError
from onc_mirror.hour import mirror_hour
from onc_mirror.quarantine.checks import check_release, look_up
from onc_mirror.quarantine.releasing import release
from onc_mirror.rebuild.story import rebuild
from onc_mirror.reconcile.story import ReconcileRequest, reconcile
from onc_mirror.run.gathering import MirrorRequest
from onc_mirror.scrub.story import ScrubRequest, scrub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from onc_mirror.mirror import Mirror
    from onc_mirror.model import Grade
    from onc_mirror.reconcile.findings import Reconciliation
    from onc_mirror.report.document import RunReport

ALWAYS = 150
"""Days, more than any history has."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a run came to.

    Attributes:
        report: Its report.
        is_noteworthy: Whether the bucket keeps something that was written of it.
        found: What a reconcile found; None for other flows.
    """

    report: RunReport
    is_noteworthy: bool
    found: Reconciliation | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What a run does.

    Attributes:
        name: The flow.
        do: Does it.
        day: Begin of the day of data that it is about, if it is.
        only_failed: Whether it repeats only what failed.
    """

    name: str
    do: Callable[[Mirror], Done] = field(repr=False)
    day: datetime | None = None
    only_failed: bool = False


def _hour(mirror: Mirror) -> Done:
    return _told(mirror_hour(mirror, MirrorRequest()))


def _reconcile(mirror: Mirror) -> Done:
    found = reconcile(mirror, ReconcileRequest(days=ALWAYS))
    assert found.report is not None
    return Done(found.report, found.is_noteworthy or found.report.is_noteworthy, found)


def _scrub(mirror: Mirror) -> Done:
    return _told(scrub(mirror, ScrubRequest()).report)


def _rebuild(mirror: Mirror) -> Done:
    report = rebuild(mirror).report
    assert report is not None
    return _told(report)


HOUR = Work("mirror-hour", _hour)
RECONCILE = Work("reconcile", _reconcile)
SCRUB = Work("scrub", _scrub)
REBUILD = Work("rebuild", _rebuild)


def backfill_of(moment: datetime, *, only_failed: bool = False) -> Work:
    """Fetch what is missing of the day of a moment."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    request = BackfillRequest(since=day, until=day + timedelta(hours=1), only_failed=only_failed)
    return Work("backfill", lambda mirror: _told(backfill(mirror, request)), day, only_failed)


def release_of(names: Iterable[tuple[str, str]], grade: Grade) -> Work:
    """Release those of the files that may be released."""
    wanted = sorted(names)

    def do(mirror: Mirror) -> Done:
        dossiers = []
        for device_code, filename in wanted:
            dossier = look_up(mirror.ledger, filename, device_code)
            try:
                check_release(dossier)
            except SettingsError:
                continue
            dossiers.append(dossier)
        return _told(release(mirror, dossiers, grade))

    return Work("release", do)


def _told(report: RunReport) -> Done:
    return Done(report, report.is_noteworthy)
