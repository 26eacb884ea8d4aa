"""Which alerts begin, grow and end, by what the ledger and the reports of runs say. Pure.

A run's report is weighed once; what the ledger knows of files and devices is weighed each time. What cannot be known
changes nothing: a device that could not be listed is neither silent nor not.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.alerts.causes import Cause
from onc_mirror.alerts.weighing import Weighed, weigh
from onc_mirror.ledger.alerts import Alert
from onc_mirror.wording import counted, duration_text, some_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from onc_mirror.alerts.silence import Silence
    from onc_mirror.alerts.weighing import SeenRun
    from onc_mirror.ledger.alerts import Pile

STILL_ASKED = timedelta(days=7)
"""A device that no run has asked for so long is asked no more."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the mirror knows that may be wrong.

    Attributes:
        runs: Those that ended since somebody looked last, the oldest first.
        quarantined: Quarantined files by device.
        damaged: Objects found missing or damaged since the last check began, or still so, by device.
        silences: Devices of which it is known whether they are silent, each with its silence or None.
        followed: Devices that runs still ask for.
    """

    runs: tuple[SeenRun, ...] = ()
    quarantined: Mapping[str, Pile] = field(default_factory=dict)
    damaged: Mapping[str, Pile] = field(default_factory=dict)
    silences: Mapping[str, Silence | None] = field(default_factory=dict)
    followed: frozenset[str] = frozenset()


class _Board:
    """The alerts, while it is decided what becomes of them."""

    def __init__(self, before: Iterable[Alert], now: datetime, seen_by: tuple[str, str]) -> None:
        self._before = {alert.key: alert for alert in before}
        self._now = now
        self.seen_by = seen_by
        self.changed: dict[tuple[str, str], Alert] = {}

    def running(self, cause: Cause, subject: str) -> Alert | None:
        """The alert, also one that is not sure yet; None when there is none or it is over."""
        key = (str(cause), subject)
        alert = self.changed.get(key) or self._before.get(key)
        return None if alert is None or alert.ended_at is not None else alert

    def subjects(self, cause: Cause) -> set[str]:
        """What the running alerts of a cause are about."""
        keys = {*self._before, *self.changed}
        return {subject for name, subject in keys if name == cause and self.running(cause, subject)}

    def see(  # noqa: PLR0913 - all by keyword
        self, cause: Cause, subject: str, *, since: datetime, count: int, latest: datetime, detail: str
    ) -> None:
        """Something is wrong."""
        self._put(cause, subject, since, count, latest, detail, is_sure=True)

    def see_again(self, cause: Cause, subject: str, at: datetime, detail: str, after: int) -> None:
        """Something went wrong in one run more; it is an alert after so many in a row."""
        old = self.running(cause, subject)
        count = 1 + (old.count if old else 0)
        self._put(cause, subject, old.since if old else at, count, at, detail, is_sure=count >= after)

    def end(self, cause: Cause, subject: str) -> None:
        """It is not wrong, or no longer."""
        old = self.running(cause, subject)
        if old is not None:
            self.changed[old.key] = replace(old, ended_at=self._now)

    def _put(  # noqa: PLR0913, PLR0917 - the columns of an alert
        self, cause: Cause, subject: str, since: datetime, count: int, latest: datetime, detail: str, *, is_sure: bool
    ) -> None:
        old = self.running(cause, subject)
        opened_at = (old.opened_at if old else None) or (self._now if is_sure else None)
        run_id, link = self.seen_by
        new = Alert(
            cause=str(cause),
            subject=subject,
            since=since,
            opened_at=opened_at,
            count=count,
            latest=latest,
            detail=detail,
            run_id=run_id,
            link=link,
        )
        if old is None or (old.count, old.latest, old.detail, old.opened_at) != (count, latest, detail, opened_at):
            self.changed[new.key] = new


def decide(before: Iterable[Alert], facts: Facts, *, after: int, now: datetime) -> tuple[Alert, ...]:
    """Say which alerts are to be changed, and to what.

    Args:
        before: All alerts that the ledger has.
        facts: What may be wrong.
        after: Runs in a row that must fail, or not list a device, before it is an alert.
        now: When this is decided.

    Returns:
        Each changed alert as it is now; one that is over has `ended_at`.
    """
    last = facts.runs[-1] if facts.runs else None
    board = _Board(before, now, ("", "") if last is None else (last.run_id, last.link))
    for run in facts.runs:
        board.seen_by = (run.run_id, run.link)
        _take_run(board, run, weigh(run), after)
    _take_piles(board, Cause.QUARANTINE, facts.quarantined)
    _take_piles(board, Cause.DAMAGE, facts.damaged)
    _take_silences(board, facts)
    for subject in board.subjects(Cause.DEVICE_UNLISTED):
        unlisted = board.running(Cause.DEVICE_UNLISTED, subject)
        if unlisted is not None and unlisted.latest < now - STILL_ASKED:
            board.end(Cause.DEVICE_UNLISTED, subject)
    return tuple(board.changed.values())


def _take_run(board: _Board, run: SeenRun, weighed: Weighed, after: int) -> None:
    at = run.started_at
    for cause, subject, detail in weighed.wrong_at_once:
        board.see_again(cause, subject, at, detail, after=1)
    for cause, subject, detail in weighed.wrong_in_a_row:
        board.see_again(cause, subject, at, detail, after)
    for cause, subject in weighed.right:
        board.end(cause, subject)
    for cause in weighed.right_everywhere:
        for subject in board.subjects(cause):
            board.end(cause, subject)


def _take_piles(board: _Board, cause: Cause, piles: Mapping[str, Pile]) -> None:
    for device, pile in piles.items():
        detail = _pile_text(cause, pile)
        board.see(cause, device, since=pile.since, count=pile.count, latest=pile.latest, detail=detail)
    for device in board.subjects(cause) - set(piles):
        board.end(cause, device)


def _pile_text(cause: Cause, pile: Pile) -> str:
    names = some_of(pile.names, total=pile.count)
    if cause is Cause.QUARANTINE:
        return f"{counted(pile.count, 'file')} in quarantine: {names}."
    mended = "none of them is" if pile.left == pile.count else f"{pile.count - pile.left} of them are"
    return f"{counted(pile.count, 'object')} found missing or damaged, {mended} put right: {names}."


def _take_silences(board: _Board, facts: Facts) -> None:
    for device, silence in facts.silences.items():
        if silence is None:
            board.end(Cause.DEVICE_SILENT, device)
        elif board.running(Cause.DEVICE_UNLISTED, device) is None:
            usual = duration_text(silence.patience.total_seconds())
            detail = f"Nothing has come since then; usually something comes within {usual}."
            board.see(Cause.DEVICE_SILENT, device, since=silence.since, count=1, latest=silence.since, detail=detail)
    for device in board.subjects(Cause.DEVICE_SILENT) - facts.followed:
        board.end(Cause.DEVICE_SILENT, device)
