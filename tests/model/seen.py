"""What the model sees of the world from outside, before and after a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time
from typing import TYPE_CHECKING

from onc_mirror.model import State
from onc_mirror.utc import as_utc
from tests.support.memory_archive import COUNTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onc_mirror.errors import MirrorError
    from onc_mirror.model import TimeWindow
    from onc_mirror.report.document import RunReport
    from tests.model.works import Done, Work
    from tests.support.memory_archive import Asked, Shelved


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger says of a file."""

    state: str
    reason: str
    attempts: int
    key: str | None
    sha256: str | None
    quarantine_key: str | None
    archived_at: str | None = field(compare=False)

    def was_archived_in(self, window: TimeWindow) -> bool:
        """Whether the archive took it in then, by what the ledger knows."""
        return self.archived_at is not None and (
            window.since <= as_utc(datetime.fromisoformat(self.archived_at)) < window.until
        )

    @property
    def is_counted_on(self) -> bool:
        """Whether the listings of its own device must have it."""
        return self.state != State.GONE and (self.state, self.reason) != (State.QUARANTINED, "wrong-device")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSeen:
    """A run, seen from outside.

    Attributes:
        work: What it was to do.
        done: What it came to; None when it was killed or broke off.
        refusal: Why it broke off, if it did.
        asked: What it asked the archive.
        visible: What the archive listed when it began.
        entries: The ledger before it.
        watermarks: The watermarks before it.
        objects: The SHA-256 of every object before it, by key.
    """

    work: Work
    done: Done | None
    refusal: MirrorError | None
    asked: tuple[Asked, ...]
    visible: tuple[Shelved, ...]
    entries: Mapping[tuple[str, str], Entry]
    watermarks: Mapping[str, datetime]
    objects: Mapping[str, str]

    @property
    def report(self) -> RunReport | None:
        """Its report, if it came to one."""
        return None if self.done is None else self.done.report

    def listings(self, device_code: str) -> list[Asked]:
        """The windows of archive time of a device that it asked for, with what was answered."""
        return [asked for asked in self.asked if asked.subject == device_code and asked.archived is not None]

    def surveys(self) -> list[Asked]:
        """The answers about whole days of data that it asked for; about single files others are asked."""
        return [
            asked
            for asked in self.asked
            if asked.listing is not None and asked.data is not None and asked.data.until.time() == time.min
        ]

    def counted(self) -> set[str]:
        """The devices of which the archive said how many files it has, whenever it was asked."""
        answers = [asked for asked in self.asked if asked.endpoint == COUNTS]
        silent = {asked.subject for asked in answers if asked.counted is None}
        return {asked.subject for asked in answers} - silent

    def uncounted(self) -> set[str]:
        """The devices whose days were listed, and whose files the archive did not count, or was not asked to."""
        last = {asked.subject: asked.counted for asked in self.asked if asked.endpoint == COUNTS}
        return {asked.subject for asked in self.surveys() if last.get(asked.subject) is None}

    def denied(self) -> set[str]:
        """Names of the files that it could only take for gone: the archive did not list them when it was asked for
        them, but did list others of the device."""
        answering = {asked.subject for asked in self.asked if asked.listing is not None and asked.listing.files}
        of_days = self.surveys()
        return {
            file.filename
            for asked in self.asked
            if asked.archived is None and asked not in of_days and asked.subject in answering
            for file in asked.hidden
        }

    def kept_back(self) -> set[str]:
        """Names of the files that the archive listed to it not once, though it has them."""
        return {file.filename for asked in self.asked for file in asked.hidden}
