"""Where the mirror stands when a run is over: per device what came, what waits and why, how late it is."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from prefect import task

from onc_mirror.errors import UnsafeNameError
from onc_mirror.layout import device_folder
from onc_mirror.ledger.summarising import FileRecord
from onc_mirror.ledger.vitals import DeviceVitals
from onc_mirror.mirror import Mirror
from onc_mirror.model import State
from onc_mirror.report.document import RunReport
from onc_mirror.utc import time_text
from onc_mirror.wording import duration_text, size_text
from tasks.policy import UNCACHED, safely
from tasks.tables import MOST_ROWS, Link, show_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from onc_mirror.settings import MirrorSettings

_MOST_COUNTED = 5000
_NO_DEVICE = {"device": "", "came": "No device was ever listed."}
_NOTHING_WAITS = {"device": "", "file": "", "state": "", "reason": "", "what happened": "No file waits."}


@task(name="show-standing", **UNCACHED)
@safely
def show_standing(mirror: Mirror, report: RunReport) -> None:
    """Put where devices stand, and the files that wait, where the Prefect UI shows them."""
    waiting = mirror.ledger.files_in(State.HELD, State.QUARANTINED, limit=_MOST_COUNTED)
    vitals = mirror.ledger.vitals.devices()
    rows = standing_rows(report, vitals, waiting, mirror.clock())
    devices = [{**row, "device": _folder(mirror.settings, row["device"])} for row in rows]
    description = f"Run {report.run_id}: what came of each device, and where it stands now. Times are UTC."
    show_table(f"{report.flow}-standing", description, devices, nothing=_NO_DEVICE)
    files = [_waiting_row(one, mirror.settings) for one in waiting[:MOST_ROWS]]
    total = sum(one.files[State.HELD] + one.files[State.QUARANTINED] for one in vitals)
    description = f"Run {report.run_id}: files held or quarantined, the longest first."
    show_table(f"{report.flow}-waiting", description, files, nothing=_NOTHING_WAITS, total=total)


def standing_rows(
    report: RunReport, devices: Iterable[DeviceVitals], waiting: Iterable[FileRecord], now: datetime
) -> list[dict[str, Any]]:
    """One row per device that was asked or that the ledger knows, those of the run first.

    Args:
        report: What the run did.
        devices: How they stand.
        waiting: The files that are held or quarantined.
        now: When that is, UTC.
    """
    came = {one.device: one for one in report.by_device}
    causes: dict[str, Counter[str]] = {}
    for file in waiting:
        causes.setdefault(file.device_code, Counter())[file.reason] += 1
    failed = {error.device: error.reason for error in report.errors}
    known = {code: _nothing_known(code) for code in report.devices} | {one.device_code: one for one in devices}
    rows = []
    for device in sorted(known.values(), key=lambda one: (one.device_code not in came, one.device_code)):
        code = device.device_code
        counts = came.get(code)
        rows.append(
            {
                "device": code,
                "came": _came(counts.mirrored, counts.bytes) if counts else "not asked",
                "trouble": failed.get(code, "listing not believed" if device.is_doubted else ""),
                "held": device.files[State.HELD],
                "quarantined": device.files[State.QUARANTINED],
                "why": ", ".join(f"{number} {reason}" for reason, number in _most_first(causes.get(code, {}))),
                "newest data": _time(device.newest_data_at),
                "their age": _age(device.newest_data_at, now),
                "archived after": "" if device.archive_lag is None else _span(device.archive_lag.total_seconds()),
                "known up to": _time(device.watermark),
            }
        )
    return rows


def _nothing_known(code: str) -> DeviceVitals:
    return DeviceVitals(
        device_code=code,
        watermark=None,
        is_doubted=False,
        files=dict.fromkeys(State, 0),
        oldest_held_since=None,
        newest_data_at=None,
        archive_lag=None,
    )


def _folder(settings: MirrorSettings, device_code: str) -> Link:
    try:
        return Link(device_code, settings.page_of(device_folder(device_code, settings.layout)))
    except UnsafeNameError:  # of a device that somebody has mistyped there is no folder
        return Link(device_code, None)


def _waiting_row(file: FileRecord, settings: MirrorSettings) -> dict[str, Any]:
    key = file.quarantine_key
    return {
        "device": file.device_code,
        "file": file.filename,
        "state": file.state.value,
        "reason": file.reason,
        "since": _time(file.since),
        "next try": _time(file.next_try_at),
        "what happened": file.detail,
        "bad bytes": Link(key, settings.page_of(key)) if key else "",
        "attempts": file.attempts,
    }


def _most_first(causes: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(causes.items(), key=lambda one: (-one[1], one[0]))


def _came(files: int, size_bytes: int) -> str:
    return f"{files} ({size_text(size_bytes)})" if files else "nothing new"


def _time(moment: datetime | None) -> str:
    return "" if moment is None else time_text(moment, "seconds")


def _age(moment: datetime | None, now: datetime) -> str:
    return "" if moment is None else _span((now - moment).total_seconds())


def _span(seconds: float) -> str:
    return duration_text(max(0.0, seconds))
