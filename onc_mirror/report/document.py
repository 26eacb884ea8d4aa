"""The report of a run: what became of every file that was listed, in numbers that add up, and where to look.

As JSON (`to_json`, `from_json`) it has these keys; `listed` always equals the sum of the counts after it:

    run_id, flow, window {since, until}, devices [code], listed, mirrored, already, held, quarantined,
    filtered {rule: n}, gone, failed, bytes, seconds,
    files [{filename, device, decision, reason, bytes, sha256, grade, detail}],
    errors [{device, reason, detail}],
    by_device [{device, listed, mirrored, already, held, quarantined, filtered, gone, failed, bytes}],
    unnamed, taken_up

`files` has every file with which something was done or is wrong, newest data first. The `already` and `filtered`
ones are counted and not named, whatever the size of the run: a year's listing would bury the one line that
matters, and the ledger names them all. `taken_up` says how many of the `listed` ones this run did not list itself:
earlier runs did, and left them unfinished, or the archive has them no more. `errors` are devices that could not be
listed, and what went wrong with the run itself, with an empty device.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from onc_mirror.model import Decision, Grade
from onc_mirror.utc import text_or_none, time_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

RunState = Literal["completed", "completed-with-held", "failed"]

SUCCESSES: tuple[RunState, ...] = ("completed", "completed-with-held")
"""States of runs in which nothing failed."""

NO_DEVICE = ""
"""In place of a device: what concerns the whole run."""

INTERRUPTED = "interrupted"
"""Reason for an error: somebody stopped the run, which says nothing else."""

LOST = "lost"
"""Reason for an error: what was proven once is gone, and the archive does not have it any more."""

OTHER_CONTENT = "other-content"
"""Reason for an error: what was proven once is gone, and the archive has other bytes by now."""

_IN_ORDER = frozenset({Decision.MIRRORED, Decision.ALREADY, Decision.FILTERED})

COUNTED = ("mirrored", "already", "held", "quarantined", "gone", "failed")
"""The counts that, with those of `filtered`, add up to `listed`."""


@dataclass(frozen=True, slots=True)
class DeviceError:
    """A device that could not be listed, or what ended a whole run early.

    Attributes:
        device: Its code; empty when it concerns the whole run.
        reason: Fixed slug of the error.
        detail: One sentence for people.
    """

    device: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class ReportedFile:
    """A file with which something was done or is wrong.

    Attributes:
        filename: Its name in the archive.
        device: Device code.
        decision: What became of it.
        reason: Fixed slug, empty when mirrored.
        bytes: Bytes transferred in this run.
        sha256: Measured hash, or None.
        grade: Grade passed, or None.
        detail: One sentence for people, empty when there is nothing to say.
    """

    filename: str
    device: str
    decision: Decision
    reason: str
    bytes: int
    sha256: str | None
    grade: Grade | None
    detail: str

    @property
    def needs_attention(self) -> bool:
        """Whether something is wrong with it."""
        return self.decision not in _IN_ORDER


@dataclass(frozen=True, slots=True)
class DeviceCounts:
    """What became of the files of one device; `listed` is the sum of the counts; `bytes` were transferred."""

    device: str
    listed: int
    mirrored: int
    already: int
    held: int
    quarantined: int
    filtered: int
    gone: int
    failed: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What became of every file that one run listed. `Tally` makes it.

    Attributes:
        run_id: The run's name.
        flow: What ran.
        since: Begin of the window; None when each device had its own, from its watermark.
        until: End of the window, or None.
        devices: Codes of the devices asked, sorted.
        listed: Number of distinct files, listed by this run or taken up from earlier ones.
        mirrored: Transferred, proven and published in this run.
        already: Mirrored before, unchanged since.
        held: Not now; tried again later by itself.
        quarantined: Bad for a known reason.
        filtered: Not wanted, by the rule that says so.
        gone: No longer in the archive.
        failed: Went wrong; tried again by the next run.
        bytes: Bytes transferred.
        seconds: How long the run took.
        files: See the module.
        errors: See the module; sorted by device.
        by_device: The counts of each device, sorted by code.
        unnamed: How many more files `files` would have.
        taken_up: How many of `listed` only earlier runs listed.
    """

    run_id: str
    flow: str
    since: datetime | None
    until: datetime | None
    devices: tuple[str, ...]
    listed: int
    mirrored: int
    already: int
    held: int
    quarantined: int
    filtered: Mapping[str, int]
    gone: int
    failed: int
    bytes: int
    seconds: float
    files: tuple[ReportedFile, ...]
    errors: tuple[DeviceError, ...]
    by_device: tuple[DeviceCounts, ...]
    unnamed: int = 0
    taken_up: int = 0

    def __post_init__(self) -> None:
        counted = sum(getattr(self, name) for name in COUNTED) + sum(self.filtered.values())
        if self.listed != counted:
            raise ValueError(f"The report of {self.run_id} does not add up: {self.listed} listed, {counted} counted.")
        if self.listed != sum(device.listed for device in self.by_device):
            raise ValueError(f"The report of {self.run_id} does not add up over its devices.")

    @property
    def exit_code(self) -> Literal[0, 1, 3]:
        """0: everything accounted for and nothing wrong; 1: something failed; 3: files are held or quarantined."""
        if self.failed or self.errors:
            return 1
        return 3 if self.held or self.quarantined else 0

    @property
    def state(self) -> RunState:
        """The headline."""
        by_code: Mapping[int, RunState] = {0: "completed", 1: "failed", 3: "completed-with-held"}
        return by_code[self.exit_code]

    @property
    def is_noteworthy(self) -> bool:
        """Whether something was done or is wrong, so that the bucket should keep the report."""
        return bool(self.files or self.errors or self.unnamed)

    @property
    def is_interrupted(self) -> bool:
        """Whether somebody stopped the run, which says nothing of what is wrong."""
        return any(error.reason == INTERRUPTED for error in self.errors)

    @property
    def attention(self) -> tuple[ReportedFile, ...]:
        """The files that somebody should look at, with their reasons, newest data first."""
        return tuple(file for file in self.files if file.needs_attention)

    def to_json(self) -> str:
        """Return the report as JSON, in ASCII."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        window = {"since": text_or_none(content.pop("since")), "until": text_or_none(content.pop("until"))}
        content |= {"filtered": dict(self.filtered)}
        content |= {name: [asdict(row) for row in content[name]] for name in ("files", "errors", "by_device")}
        ordered = {"run_id": self.run_id, "flow": self.flow, "window": window} | content
        return json.dumps(ordered, indent=2, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> RunReport:
        """Return the report that `to_json` wrote; keys that it does not know are passed over.

        Raises:
            ValueError: It is not such a report, or does not add up.
        """
        content = json.loads(text)
        try:
            content = {"unnamed": 0, "taken_up": 0} | content  # which reports of earlier versions lack
            window = content["window"]
            given = {field.name: content[field.name] for field in fields(cls) if field.name not in window}
            rows = {
                "files": tuple(_reported_file(row) for row in given["files"]),
                "errors": tuple(DeviceError(**row) for row in given["errors"]),
                "by_device": tuple(DeviceCounts(**row) for row in given["by_device"]),
            }
            span = {name: time_or_none(window[name]) for name in ("since", "until")}
        except (KeyError, TypeError) as error:
            raise ValueError(f"This is not the report of a run: {error}.") from None
        return cls(**given | rows | span | {"devices": tuple(given["devices"])})


def _reported_file(row: Mapping[str, Any]) -> ReportedFile:
    grade = None if row["grade"] is None else Grade(row["grade"])
    return ReportedFile(**{**row, "decision": Decision(row["decision"]), "grade": grade})
