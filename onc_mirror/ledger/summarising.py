"""What `onc-mirror status` shows: devices, single files and runs as the ledger has them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select

from onc_mirror.ledger.beginnings import NEVER_LISTED
from onc_mirror.ledger.rows import exact_names, key_of
from onc_mirror.ledger.tables import devices, files, runs
from onc_mirror.model import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Row

RUNNING = "running"
KILLED = "killed"


@dataclass(frozen=True, slots=True)
class DeviceSummary:
    """One device in the ledger.

    Attributes:
        device_code: The device.
        watermark: Archive time up to which everything listed is accounted for; None when never fully listed, also
            when a run has noted from where it will be.
        files: Number of files by state; all states are in here.
        size_bytes: Bytes by state: measured for `MIRRORED`, as the archive lists them for the others.
        oldest_held_since: Since when the longest-held file is held, or None.
        newest_data_at: The end of the newest data that is mirrored, or None.
        suspicion: Why its listings are not believed, or None.
        suspicious_since: Since when, UTC, or None.
    """

    device_code: str
    watermark: datetime | None
    files: Mapping[State, int]
    size_bytes: Mapping[State, int]
    oldest_held_since: datetime | None
    newest_data_at: datetime | None
    suspicion: str | None = None
    suspicious_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Where one file stands.

    Attributes:
        filename: Its name in the archive.
        device_code: Its device.
        state: Where it stands.
        reason: Fixed slug; for `FILTERED` the rule; empty when there is none.
        detail: One sentence for people, or empty.
        since: Since when it is in this state, UTC.
        attempts: How often it was tried in vain.
        next_try_at: Before when it is not tried again, UTC; None: the next run, or never.
        quarantine_key: Where its bad bytes are in the bucket, or None.
    """

    filename: str
    device_code: str
    state: State
    reason: str
    detail: str
    since: datetime
    attempts: int
    next_try_at: datetime | None
    quarantine_key: str | None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run in the ledger.

    Attributes:
        run_id: The run.
        flow: What ran.
        started_at: When it began, UTC.
        finished_at: When it ended; None when it is running, or was killed.
        state: `running`, or the state of its report.
        alive_until: While it runs, until when it is alive unless it says so again, UTC; None when nobody knows.
        reason: Why it failed: that of the first error in its report; empty when it has none.
    """

    run_id: str
    flow: str
    started_at: datetime
    finished_at: datetime | None
    state: str
    alive_until: datetime | None = None
    reason: str = ""

    def state_at(self, now: datetime) -> str:
        """Return its state; `killed` when it ended without a word: its last sign of life is too long ago."""
        silent = self.finished_at is None and self.alive_until is not None and self.alive_until < now
        return KILLED if silent else self.state


def summarise_devices(connection: Connection) -> tuple[DeviceSummary, ...]:
    """Return every device that has a watermark or a file, sorted by code."""
    standing = {row.device_code: row for row in connection.execute(select(devices))}
    listed = case((files.c.compression.is_(None), files.c.stored_bytes), else_=files.c.uncompressed_bytes)
    size = case((files.c.state == State.MIRRORED, files.c.size_bytes), else_=listed)
    by_state = connection.execute(
        select(
            files.c.device_code,
            files.c.state,
            func.count().label("files"),
            func.coalesce(func.sum(size), 0).label("size_bytes"),
            func.min(files.c.state_since).label("oldest_since"),
            func.max(files.c.ends_at).label("newest_data_at"),
        ).group_by(files.c.device_code, files.c.state)
    ).all()
    found: dict[str, dict[State, Row[Any]]] = {code: {} for code in standing}
    for row in by_state:
        found.setdefault(row.device_code, {})[State(row.state)] = row
    return tuple(_summary(code, standing.get(code), rows) for code, rows in sorted(found.items()))


def read_files(
    connection: Connection,
    states: Collection[State],
    device_codes: Iterable[str],
    limit: int | None,
    reasons: Collection[str] = (),
) -> tuple[FileRecord, ...]:
    """Return the files in these states, for these reasons or any; see `Ledger.files_in`."""
    facts = ("reason", "rule", "detail", "state", "state_since", "attempts", "next_try_at", "quarantine_key")
    columns = [files.c[name] for name in ("device_code", "filename", "exact_name", *facts)]
    wanted = select(*columns).where(files.c.state.in_(states))
    keys = [key_of(code, "")[0] for code in device_codes]
    if keys:
        wanted = wanted.where(files.c.device_code.in_(keys))
    if reasons:
        wanted = wanted.where(files.c.reason.in_(reasons))
    oldest_first = wanted.order_by(files.c.state_since, files.c.device_code, files.c.filename).limit(limit)
    return tuple(_record(row) for row in connection.execute(oldest_first))


def latest_runs(connection: Connection, limit: int) -> tuple[RunRecord, ...]:
    """Return the runs that began last, the newest first."""
    columns = (runs.c.run_id, runs.c.flow, runs.c.started_at, runs.c.finished_at, runs.c.state, runs.c.alive_until)
    newest = select(*columns, runs.c.report).order_by(runs.c.started_at.desc(), runs.c.run_id.desc()).limit(limit)
    rows = connection.execute(newest)
    return tuple(
        RunRecord(
            row.run_id,
            row.flow,
            row.started_at,
            row.finished_at,
            row.state,
            row.alive_until,
            _first_reason(row.report),
        )
        for row in rows
    )


def _first_reason(report: str | None) -> str:
    errors = json.loads(report)["errors"] if report else []
    return str(errors[0]["reason"]) if errors else ""


def _summary(device_code: str, device: Row[Any] | None, rows: Mapping[State, Row[Any]]) -> DeviceSummary:
    held, mirrored = rows.get(State.HELD), rows.get(State.MIRRORED)
    return DeviceSummary(
        device_code,
        device.watermark if device and device.updated_at != NEVER_LISTED else None,
        MappingProxyType({state: rows[state].files if state in rows else 0 for state in State}),
        MappingProxyType({state: int(rows[state].size_bytes) if state in rows else 0 for state in State}),
        held.oldest_since if held else None,
        mirrored.newest_data_at if mirrored else None,
        device.suspicion if device else None,
        device.suspicious_since if device else None,
    )


def _record(row: Row[Any]) -> FileRecord:
    device_code, filename = exact_names(row.device_code, row.filename, row.exact_name)
    state = State(row.state)
    return FileRecord(
        filename,
        device_code,
        state,
        (row.rule or "") if state is State.FILTERED else row.reason,
        row.detail,
        row.state_since,
        row.attempts,
        row.next_try_at,
        row.quarantine_key,
    )
