"""A dry run of a backfill: what it would fetch, by the same planner, and how long that may take.

Nothing is written but the slots it has in the lane while it asks the archive.
"""

from __future__ import annotations

import functools
import json
import uuid
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from onc_mirror.backfill.lanes import open_lane
from onc_mirror.backfill.spanning import BackfillRequest, Span, begin_backfill
from onc_mirror.backfill.story import Work, run_slices
from onc_mirror.flow_names import BACKFILL, HOURLY, ON_DEMAND
from onc_mirror.model import Decision, Outcome
from onc_mirror.report.document import RunReport
from onc_mirror.run.heartbeat import beating
from onc_mirror.run.life import Run
from onc_mirror.transfer.progress import NoSliceWatcher, SliceWatcher
from onc_mirror.utc import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onc_mirror.backfill.slicing import Slice
    from onc_mirror.ledger import Ledger
    from onc_mirror.mirror import Mirror
    from onc_mirror.model import TimeWindow
    from onc_mirror.report.tally import Tally

_RUNS_LOOKED_AT = 200
_RUNS_MEASURED = 10


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast earlier runs were, from their begin to their end.

    Attributes:
        flow: Which runs were measured.
        runs: How many.
        bytes_per_s: Bytes transferred per second.
        files_per_s: Files mirrored per second.
    """

    flow: str
    runs: int
    bytes_per_s: float
    files_per_s: float

    def seconds(self, files: int, size_bytes: int) -> float:
        """How long so much would take: small files take their time whatever their size."""
        return max(files / self.files_per_s, size_bytes / self.bytes_per_s)


@dataclass(frozen=True, slots=True)
class DayForecast:
    """What would be fetched of one device and day.

    Attributes:
        device: Device code.
        day: The day of data, as `YYYY-MM-DD`.
        listed: Files that the archive lists.
        files: Files that would be fetched.
        bytes: Their bytes, as far as the archive says.
        unsized: How many of them have no size there.
    """

    device: str
    day: str
    listed: int
    files: int
    bytes: int
    unsized: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a backfill would do now.

    Attributes:
        window: Of data time, whole days.
        devices: The devices.
        days: The days of devices of which something would be fetched, by device and day.
        rest: The files that would not be fetched, counted as a run's report does; its `errors` are slices that could
            not be listed.
        speed: How fast earlier runs were; None when there are none to measure.
    """

    window: TimeWindow
    devices: tuple[str, ...]
    days: tuple[DayForecast, ...]
    rest: RunReport
    speed: Speed | None

    @property
    def files(self) -> int:
        """Files to fetch."""
        return sum(day.files for day in self.days)

    @property
    def bytes(self) -> int:
        """Bytes to fetch, as far as the archive says."""
        return sum(day.bytes for day in self.days)

    @property
    def seconds(self) -> float | None:
        """How long it may take; None when nobody knows."""
        return None if self.speed is None else self.speed.seconds(self.files, self.bytes)

    @property
    def exit_code(self) -> int:
        """0: everything could be listed; 1: something could not."""
        return 1 if self.rest.errors else 0

    def to_json(self) -> str:
        """Return the forecast as JSON, in ASCII."""
        content = {
            "flow": BACKFILL,
            "dry_run": True,
            "window": {"since": time_text(self.window.since), "until": time_text(self.window.until)},
            "devices": self.devices,
            "listed": self.rest.listed + self.files,
            "files": self.files,
            "bytes": self.bytes,
            "unsized": sum(day.unsized for day in self.days),
            "already": self.rest.already,
            "held": self.rest.held,
            "quarantined": self.rest.quarantined,
            "filtered": dict(self.rest.filtered),
            "seconds": self.seconds,
            "speed": None if self.speed is None else asdict(self.speed),
            "days": [asdict(day) for day in self.days],
            "errors": [asdict(error) for error in self.rest.errors],
        }
        return json.dumps(content, indent=2, allow_nan=False)


def look_ahead(mirror: Mirror, request: BackfillRequest, watcher: SliceWatcher | None = None) -> Forecast:
    """Say what a backfill would do.

    Raises:
        SettingsError: The range is empty.
        MirrorError: Nothing could be asked; see `story.backfill`.
    """
    run = Run(f"dry-run-{uuid.uuid4().hex[:8]}", BACKFILL, mirror.clock())
    span = begin_backfill(mirror, run, request)
    tally, days = span.new_tally(), list[DayForecast]()
    beat = beating(mirror.ledger, run.run_id, mirror.settings.lease, mirror.clock)
    with beat, open_lane(mirror, run.run_id) as (lane, paced):
        work = Work(paced, span, lane, tally, watcher or NoSliceWatcher())
        run_slices(work, functools.partial(_foresee, days))
    return _forecast(mirror, span, tally, days)


def measure_speed(ledger: Ledger) -> Speed | None:
    """How fast the latest backfills were, else the latest runs of hours; None when none of them transferred."""
    finished = [run for run in ledger.runs(_RUNS_LOOKED_AT) if run.finished_at is not None]
    for flow in (BACKFILL, HOURLY, ON_DEMAND):
        reports = _reports(ledger, (run.run_id for run in finished if run.flow == flow))
        seconds = sum(report.seconds for report in reports)
        if seconds:
            transferred, mirrored = (sum(getattr(one, name) for one in reports) for name in ("bytes", "mirrored"))
            return Speed(flow, len(reports), transferred / seconds, mirrored / seconds)
    return None


def _reports(ledger: Ledger, run_ids: Iterable[str]) -> list[RunReport]:
    found: list[RunReport] = []
    for run_id in run_ids:
        text = ledger.report(run_id)
        report = RunReport.from_json(text) if text is not None else None
        if report is not None and report.bytes and report.mirrored:
            found.append(report)
        if len(found) == _RUNS_MEASURED:
            break
    return found


def _foresee(days: list[DayForecast], work: Work, one: Slice) -> list[Outcome]:
    from onc_mirror import planning  # noqa: PLC0415 - they bring pandas, which takes long to import
    from onc_mirror.backfill.sifting import failures_in, list_slice  # noqa: PLC0415 - as above
    from onc_mirror.run import plans  # noqa: PLC0415 - they bring pandas, which takes long to import

    mirror, inquiry = work.mirror, work.span.inquiry
    failures = failures_in(mirror, one) if work.span.only_failed else None
    if failures == ():
        return []
    with work.lane.slot():
        sifted = list_slice(mirror, one, inquiry.request.selection, failures)
    planned = plans.decide(mirror, inquiry, sifted.listing, again=sifted.again)
    wanted = planned.loc[planned["decision"] == Decision.FETCH, "expected_bytes"]
    work.watcher.planned(0, 0)
    if len(wanted):
        days.append(
            DayForecast(
                one.device_code,
                f"{one.window.since:%Y-%m-%d}",
                listed=len(planned) + len(sifted.left_out),
                files=len(wanted),
                bytes=int(wanted.sum()),
                unsized=int(wanted.isna().sum()),
            )
        )
    return [*sifted.left_out, *planning.outcomes(planned)]


def _forecast(mirror: Mirror, span: Span, tally: Tally, days: list[DayForecast]) -> Forecast:
    window = (span.days.since, span.days.until)
    rest = tally.report(run_id="", flow=BACKFILL, window=window, seconds=0.0)
    ordered = tuple(sorted(days, key=lambda one: (one.device, one.day)))
    return Forecast(
        span.days, span.device_codes, ordered, replace(rest, files=rest.attention), measure_speed(mirror.ledger)
    )
