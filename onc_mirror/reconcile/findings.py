"""What a reconcile found and did, as values, and the document that tells it. Pure.

The document is JSON: the run, its window, and per device the counts by sign and standing, every difference by name
with what became of it, and where the archive lists other than it counts. The counts are always whole; of more
differences than `MOST_NAMED` per device the rest is counted as `unnamed`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from onc_mirror.flow_names import RECONCILE
from onc_mirror.model import Decision
from onc_mirror.reconcile.standing import Standing
from onc_mirror.redacting import redact
from onc_mirror.utc import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from onc_mirror.model import ArchiveFile, Outcome, TimeWindow
    from onc_mirror.reconcile.witnessing import Disagreement
    from onc_mirror.report.document import DeviceError, RunReport

EMPTY_LISTING = "empty-listing"
SHORT_LISTING = "short-listing"

MOST_NAMED = 1000

_LEFT = frozenset({Standing.UNKNOWN_OBJECT, Standing.COUNTED_ONLY})
_WAITING = frozenset({Standing.HELD, Standing.QUARANTINED})


@dataclass(frozen=True, slots=True)
class Count:
    """How many files and objects stand alike.

    Attributes:
        sign: Where they are.
        standing: What that means.
        files: How many.
        bytes: Their bytes, as far as known.
    """

    sign: str
    standing: Standing
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A file or object about which archive, ledger and bucket contradict each other.

    Attributes:
        device: Device code.
        filename: Name in the archive; of an unknown object the end of its key.
        sign: Where it is.
        standing: What that means.
        key: Where its object is or should be, or None.
        bytes: Its bytes, or None.
        detail: One sentence for people.
        outcome: What became of it in this run; None when nothing was done.
    """

    device: str
    filename: str
    sign: str
    standing: Standing
    key: str | None
    bytes: int | None
    detail: str
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceComparison:
    """What the comparison of one device found, and what is to be done.

    Attributes:
        device: Device code.
        expected: Files of the window that the ledger says are mirrored, and those that it missed.
        changing: Files among them that a repair would fetch again or give up.
        counts: By sign and standing.
        differences: The first `MOST_NAMED` differences, by name.
        unnamed: How many more there are.
        disagreements: Where the archive lists other than it counts.
        silent_witness: Why the archive did not count; empty when it did.
        wanted: Listed files for the planner: what is to be fetched, or is not in the ledger yet.
        damage: Those of them whose object is missing or damaged: standing and detail by file name.
        vanished: Files that the ledger has and the archive lists no more.
        lost: Names of those of them that the bucket does not have either.
        settled: The ends of the listed files about which there is nothing to be done.
        doubt: Why what the archive lists is not to be believed, so that nothing was compared; empty when it is.
        doubted: The reason for the report when there is a doubt.
    """

    device: str
    expected: int = 0
    changing: int = 0
    counts: tuple[Count, ...] = ()
    differences: tuple[Difference, ...] = ()
    unnamed: int = 0
    disagreements: tuple[Disagreement, ...] = ()
    silent_witness: str = ""
    wanted: tuple[ArchiveFile, ...] = ()
    damage: Mapping[str, tuple[Standing, str]] = field(default_factory=dict)
    vanished: tuple[ArchiveFile, ...] = ()
    lost: tuple[str, ...] = ()
    settled: Sequence[Outcome] = ()
    doubt: str = ""
    doubted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What a reconcile found and did.

    Attributes:
        run_id: The run's name; empty for a dry run.
        window: Of data time, whole days.
        devices: One per device that could be compared, in the run's order.
        errors: Devices that could not be, and what the guard stopped.
        report: The run's report; None for a dry run, and while the run goes on.
    """

    run_id: str
    window: TimeWindow
    devices: tuple[DeviceComparison, ...]
    errors: tuple[DeviceError, ...]
    report: RunReport | None = None

    @property
    def exit_code(self) -> int:
        """0: all is accounted for and nothing wrong; 1: something failed; 3: done, but see what was found."""
        if self.errors or (self.report is not None and self.report.exit_code == 1):
            return 1
        standings = {count.standing for count in self.counts()}
        left = standings & (_LEFT | _WAITING)
        if self.report is None:
            left |= {standing for standing in standings if standing.is_difference}
        return 3 if left or self.disagreements or any(one.silent_witness for one in self.devices) else 0

    @property
    def is_noteworthy(self) -> bool:
        """Whether something differs or is wrong, so that the bucket should keep the document."""
        silent = any(one.silent_witness for one in self.devices)
        return bool(self.differences or self.disagreements or silent or self.errors)

    @property
    def disagreements(self) -> tuple[tuple[str, Disagreement], ...]:
        """Where the archive lists other than it counts, each with its device."""
        return tuple((device.device, one) for device in self.devices for one in device.disagreements)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The named differences of all devices."""
        return tuple(one for device in self.devices for one in device.differences)

    def counts(self) -> tuple[Count, ...]:
        """The counts of all devices together."""
        return add_counts(count for device in self.devices for count in device.counts)

    def to_json(self) -> str:
        """Return the document as JSON, in ASCII; with the run's report once it has ended."""
        content: dict[str, Any] = {
            "run_id": self.run_id or None,
            "flow": RECONCILE,
            "dry_run": not self.run_id,
            "window": _span(self.window.since, self.window.until),
            "counts": [_count(one) for one in self.counts()],
            "devices": [_device(one) for one in self.devices],
            "errors": [{**asdict(error), "detail": redact(error.detail)} for error in self.errors],
        }
        if self.report is not None:
            content["report"] = json.loads(self.report.to_json())
        return json.dumps(content, indent=2, allow_nan=False)


def add_counts(counts: Iterable[Count]) -> tuple[Count, ...]:
    """Add up counts of the same sign and standing; in the order of the standings."""
    sums: dict[tuple[str, Standing], tuple[int, int]] = {}
    for one in counts:
        files, size = sums.get((one.sign, one.standing), (0, 0))
        sums[one.sign, one.standing] = (files + one.files, size + one.bytes)
    order = list(Standing)
    return tuple(
        Count(sign, standing, files, size)
        for (sign, standing), (files, size) in sorted(sums.items(), key=lambda one: (order.index(one[0][1]), one[0]))
    )


def with_outcomes(comparison: DeviceComparison, ends: Mapping[tuple[str, str], Outcome]) -> DeviceComparison:
    """Note what became of the differences.

    Args:
        comparison: What was found.
        ends: The end of every named file, by device code and file name.
    """
    told = (
        replace(one, outcome=_outcome_text(ends.get((one.device, one.filename)))) for one in comparison.differences
    )
    return replace(comparison, differences=tuple(told))


def _outcome_text(outcome: Outcome | None) -> str | None:
    if outcome is None:
        return None
    if outcome.decision in {Decision.MIRRORED, Decision.ALREADY}:
        return str(Decision.MIRRORED)
    return f"{outcome.decision}: {outcome.reason}" if outcome.reason else str(outcome.decision)


def _device(one: DeviceComparison) -> dict[str, Any]:
    return {
        "device": one.device,
        "expected": one.expected,
        "counts": [_count(count) for count in one.counts],
        "differences": [asdict(difference) for difference in one.differences],
        "unnamed": one.unnamed,
        "witness": {
            "silent": redact(one.silent_witness) or None,
            "disagreements": [{**asdict(found), **_span(found.since, found.until)} for found in one.disagreements],
        },
    }


def _count(one: Count) -> dict[str, Any]:
    return {**asdict(one), "difference": one.standing.is_difference}


def _span(since: datetime, until: datetime) -> dict[str, str]:
    return {"since": time_text(since), "until": time_text(until)}
