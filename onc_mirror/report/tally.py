"""Counting the ends of files while they come in, into the report of a run.

A tally holds numbers per device and the names that matter, of which there may be a most: a run over years ends in
a report of the same size as one over a month, and takes no more memory.
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from onc_mirror.model import Decision
from onc_mirror.redacting import redact
from onc_mirror.report.document import COUNTED, NO_DEVICE, DeviceCounts, DeviceError, ReportedFile, RunReport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onc_mirror.model import Outcome

MOST_NAMED = 1000
"""Mirrored files, other files, and errors each, that the report of a run over years names."""

_COUNTS = ("listed", *COUNTED, "filtered", "bytes")
_UNNAMED = frozenset({Decision.ALREADY, Decision.FILTERED})
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

# Newest data first, then by device and name.
_Place = tuple[float, str, str]


class Tally:
    """The numbers of a run so far. Thread-safe."""

    def __init__(self, devices: Iterable[str] = (), *, most_named: int | None = None) -> None:
        """Begin to count.

        Args:
            devices: Codes of the devices asked, whether they could be listed or not.
            most_named: Mirrored files, other files, and errors each, that are named; None: all.
        """
        self._lock = threading.Lock()
        self._most_named = most_named
        self._asked = set(devices)
        self._by_device: dict[str, Counter[str]] = {}
        self._filtered: Counter[str] = Counter()
        self._named: dict[bool, list[tuple[_Place, ReportedFile]]] = {False: [], True: []}
        self._unnamed = 0
        self._taken_up = 0
        self._errors: list[DeviceError] = []
        self._more_errors = 0

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count the ends of listed files.

        Raises:
            ValueError: An outcome is `FETCH`, which is no end.
        """
        with self._lock:
            for end in outcomes:
                if end.decision is Decision.FETCH:
                    raise ValueError(f"{end.file.filename} came to no end.")
                counts = {"listed": 1, end.decision.value: 1, "bytes": end.size_bytes}
                self._by_device.setdefault(end.file.device_code, Counter()).update(counts)
                if end.decision is Decision.FILTERED:
                    self._filtered[end.reason] += 1
                if end.decision not in _UNNAMED:
                    self._name(_place(end), _reported(end))

    def take_up(self, files: int) -> None:
        """Note that so many of the files were listed by earlier runs alone."""
        with self._lock:
            self._taken_up += files

    def fail(self, *errors: DeviceError) -> None:
        """Note devices that could not be listed, or what went wrong with the run itself."""
        with self._lock:
            for error in errors:
                if self._most_named is not None and len(self._errors) >= self._most_named:
                    self._more_errors += 1
                else:
                    self._errors.append(DeviceError(error.device, error.reason, redact(error.detail)))

    def merge(self, report: RunReport) -> None:
        """Add what another run did to its part of the work."""
        since = report.since or _LONG_AGO
        with self._lock:
            self._asked.update(report.devices)
            for device in report.by_device:
                counts = {name: getattr(device, name) for name in _COUNTS}
                self._by_device.setdefault(device.device, Counter()).update(counts)
            self._filtered.update(report.filtered)
            for number, file in enumerate(report.files):
                self._name((-since.timestamp(), "", f"{number:09}"), file)
            self._unnamed += report.unnamed
            self._taken_up += report.taken_up
        self.fail(*report.errors)

    def report(
        self, *, run_id: str, flow: str, window: tuple[datetime | None, datetime | None], seconds: float
    ) -> RunReport:
        """Return what was counted.

        Args:
            run_id: The run's name.
            flow: What ran.
            window: Begin and end; None where each device had its own.
            seconds: How long the run took.
        """
        since, until = window
        with self._lock:
            counted = {code: Counter[str]() for code in self._asked} | self._by_device
            by_device = tuple(
                DeviceCounts(device=code, **{name: count[name] for name in _COUNTS})
                for code, count in sorted(counted.items())
            )
            totals = {name: sum(getattr(one, name) for one in by_device) for name in ("listed", *COUNTED, "bytes")}
            named = sorted([*self._named[False], *self._named[True]], key=lambda one: one[0])
            return RunReport(
                run_id=run_id,
                flow=flow,
                since=since,
                until=until,
                devices=tuple(sorted(self._asked)),
                **totals,
                filtered=dict(sorted(self._filtered.items())),
                seconds=seconds,
                files=tuple(file for _, file in named),
                errors=tuple(sorted(self._told_errors(), key=lambda error: (error.device, error.reason))),
                by_device=by_device,
                unnamed=self._unnamed,
                taken_up=self._taken_up,
            )

    def _name(self, place: _Place, file: ReportedFile) -> None:
        named = self._named[file.needs_attention]
        if self._most_named is not None and len(named) >= self._most_named:
            self._unnamed += 1
        else:
            named.append((place, file))

    def _told_errors(self) -> Iterable[DeviceError]:
        yield from self._errors
        if self._more_errors:
            yield DeviceError(NO_DEVICE, "more-errors", f"{self._more_errors} more errors are not named here.")


def _place(end: Outcome) -> _Place:
    return -(end.file.begins_at or _LONG_AGO).timestamp(), end.file.device_code, end.file.filename


def _reported(end: Outcome) -> ReportedFile:
    return ReportedFile(
        filename=end.file.filename,
        device=end.file.device_code,
        decision=end.decision,
        reason=end.reason,
        bytes=end.size_bytes,
        sha256=end.sha256,
        grade=end.grade,
        detail=redact(end.detail),
    )
