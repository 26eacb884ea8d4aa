"""The statements that write `files`: what was listed, and what became of it.

All are upserts, so that repeating one after a crash changes nothing, and an outcome of a file that this ledger never
saw listed still counts. Rows are written in the order of their key, so that two workers that write the same
files wait for each other and do not deadlock.
"""

from __future__ import annotations

import enum
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, case, func, null, or_

from onc_mirror.changes import content_text
from onc_mirror.ledger.rows import clean_text, listed_columns, order_of_change, settled_columns, size_or_none
from onc_mirror.ledger.tables import files
from onc_mirror.ledger.upserting import insert_into
from onc_mirror.model import (
    BY_THE_ROW,
    DAMAGED_OBJECT,
    MISSING_OBJECT,
    WRONG_DEVICE,
    Decision,
    State,
    listed_for_another,
)
from onc_mirror.redacting import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Insert

    from onc_mirror.model import ArchiveFile, Outcome

KEY = ("device_code", "filename")
FAILURE = ("state", "state_since", "reason", "detail", "rule", "attempts", "next_try_at")
SETTLED = ("settled_at", "settled_bytes")
OBJECT = ("key", "sha256", "size_bytes", "grade", "mirrored_at", "last_read_at", "damaged_at")
BAD_COPY = ("quarantine_key", "quarantine_sha256")
_DAMAGE = (MISSING_OBJECT, DAMAGED_OBJECT)
RELISTED = (
    "last_listed_at",
    "last_run_id",
    "product_code",
    "begins_at",
    "ends_at",
    "archived_at",
    "modified_at",
    "stored_bytes",
    "uncompressed_bytes",
    "compression",
    "row",
)

# What an outcome changes in a row that is there. Nothing else is touched: a held or quarantined file may have an
# older proven object, and a file filtered for now keeps its ladder of attempts and its next try.
_CHANGES: Mapping[State, tuple[str, ...]] = {
    State.MIRRORED: (*FAILURE, *SETTLED, *OBJECT),
    State.HELD: (*FAILURE, *SETTLED),
    State.QUARANTINED: (*FAILURE, *SETTLED, *BAD_COPY),
    State.GONE: FAILURE,
    State.FILTERED: ("state", "state_since", "rule"),
}

_STATES: Mapping[Decision, State] = {
    Decision.MIRRORED: State.MIRRORED,
    Decision.ALREADY: State.MIRRORED,
    Decision.HELD: State.HELD,
    Decision.FAILED: State.HELD,
    Decision.QUARANTINED: State.QUARANTINED,
    Decision.GONE: State.GONE,
    Decision.FILTERED: State.FILTERED,
}


def is_stray() -> ColumnElement[bool]:
    """Whether only other devices' listings ever had the file, so that its own device's say nothing of it."""
    return and_(files.c.state == State.QUARANTINED, files.c.reason == WRONG_DEVICE)


def listed_rows(
    listed: Iterable[ArchiveFile], *, run_id: str, now: datetime, device_code: str | None = None
) -> list[dict[str, Any]]:
    """Return one row per distinct file, sorted by key; of several listed for one, the archive's latest.

    A row of another device than `device_code`, which was asked for, is quarantined from the beginning.
    """
    latest: dict[tuple[str, str], ArchiveFile] = {}
    for file in listed:
        rival = latest.setdefault((file.device_code, file.filename), file)
        if rival is not file and order_of_change(rival) < order_of_change(file):
            latest[file.device_code, file.filename] = file
    return _sorted(
        [listed_columns(file) | _first_seen(run_id, now) | _if_stray(file, device_code) for file in latest.values()]
    )


@cache
def listed_statement(dialect: str) -> Insert:
    """Return the upsert of listed files: a new one is `listed`, a known one keeps its state and settled facts.

    What only other devices' listings had so far is listed once its own has it; then theirs change nothing any more.
    """

    def changes(new: Any) -> dict[str, Any]:
        comes_home = and_(is_stray(), new.state == State.LISTED)
        changed = ("state", "state_since", "reason", "detail")
        return {name: new[name] for name in RELISTED} | {
            name: case((comes_home, new[name]), else_=files.c[name]) for name in changed
        }

    return _upsert(dialect, changes, lambda new: or_(new.state == State.LISTED, is_stray()))


class Grounds(enum.Enum):
    """What an outcome rests on."""

    BYTES = enum.auto()
    ROW = enum.auto()
    ATTEMPTS = enum.auto()


def outcome_rows(
    outcomes: Iterable[Outcome], *, run_id: str, now: datetime
) -> dict[tuple[State, Grounds], list[dict[str, Any]]]:
    """Return the rows of outcomes by the statement that writes them: state, and what it rests on.

    An outcome that says only that nothing changed (`ALREADY` without a key) has no row.
    """
    rows: dict[tuple[State, Grounds], list[dict[str, Any]]] = {}
    for outcome in outcomes:
        if outcome.decision is Decision.ALREADY and outcome.key is None:
            continue
        state = _STATES[outcome.decision]
        row = listed_columns(outcome.file) | _first_seen(run_id, now) | _outcome_columns(outcome, state, now)
        rows.setdefault((state, _grounds(outcome)), []).append(row)
    return {kind: _sorted(group) for kind, group in rows.items()}


@cache
def outcome_statement(dialect: str, state: State, grounds: Grounds) -> Insert:
    """Return the upsert of outcomes of one state on the same grounds."""

    def changes(new: Any) -> dict[str, Any]:
        values = {name: new[name] for name in _CHANGES[state] if grounds is Grounds.BYTES or name not in BAD_COPY}
        values |= {"state_since": case((files.c.state == new.state, files.c.state_since), else_=new.state_since)}
        # The lease ends unless another run took it over meanwhile.
        mine = files.c.lease_owner == new.last_run_id
        values |= {
            "last_run_id": new.last_run_id,
            "revision": files.c.revision + 1,
            "lease_owner": case((mine, null()), else_=files.c.lease_owner),
            "lease_until": case((mine, null()), else_=files.c.lease_until),
        }
        if state in {State.HELD, State.QUARANTINED}:
            # Only a file that was held stands on the ladder already, also when a filter left it out since; any other,
            # or another row of it, begins it.
            climbing = or_(files.c.state == State.HELD, files.c.state == State.FILTERED)
            before = case((~climbing, 0), (_has_changed(new), 0), else_=files.c.attempts)
            values["attempts"] = before + new.attempts
        if state is State.MIRRORED:
            # An object that was only found again is what it was; of another nobody has said what it contains.
            same = case((files.c.sha256 == new.sha256, files.c.found), else_=null())
            values["found"] = func.coalesce(new.found, same)
        if state is State.HELD:
            values["damaged_at"] = func.coalesce(files.c.damaged_at, new.damaged_at)
            newly = and_(files.c.damaged_at.is_(None), new.damaged_at.is_not(None))
            values["damage_found_at"] = case((newly, new.damaged_at), else_=files.c.damage_found_at)
            # An older row is a stale answer.
            unknown = and_(files.c.settled_at.is_(None), files.c.settled_bytes.is_(None))
            tried = and_(new.attempts > 0, or_(unknown, _has_changed(new)))
            values |= {name: case((tried, new[name]), else_=files.c[name]) for name in SETTLED}
        return values

    return _upsert(dialect, changes, lambda new: _guard(new, state, grounds))


def _has_changed(new: Any) -> ColumnElement[bool]:
    """As `rows.has_changed`; unknown, and so no, where a time or a size is."""
    appeared = and_(files.c.settled_at.is_(None), new.settled_at.is_not(None))
    return or_(new.settled_at > files.c.settled_at, appeared, new.settled_bytes != files.c.settled_bytes)


def _grounds(outcome: Outcome) -> Grounds:
    if outcome.sha256 is not None:
        return Grounds.BYTES
    return Grounds.ROW if outcome.reason in BY_THE_ROW else Grounds.ATTEMPTS


def _guard(new: Any, state: State, grounds: Grounds) -> ColumnElement[bool] | None:
    if state is State.FILTERED:
        # The bucket holds the file, or its verdict stands: today's selection does not change that. What is held is
        # filtered, and taken up again by its rule once it is wanted. Not NOT IN: SQLAlchemy expands its list per row,
        # which statements for many rows cannot have.
        return and_(*(files.c.state != kept for kept in (State.MIRRORED, State.QUARANTINED)))
    if state is State.QUARANTINED and grounds is Grounds.ROW:
        for_its_row = or_(*(files.c.reason == reason for reason in BY_THE_ROW))
        by_the_row = and_(files.c.state == State.QUARANTINED, for_its_row)
        # A stray row under another device's listing is no verdict on what is known of the file itself.
        is_its_own = new.reason != WRONG_DEVICE
        settles_nothing = case((is_its_own, State.LISTED.value), else_=State.GONE.value)
        return or_(by_the_row, files.c.state == settles_nothing)
    return None


def _upsert(
    dialect: str, changes: Callable[[Any], dict[str, Any]], where: Callable[[Any], ColumnElement[bool] | None]
) -> Insert:
    insert = insert_into(files, dialect)
    new = insert.excluded
    return insert.on_conflict_do_update(index_elements=KEY, set_=changes(new), where=where(new))


def _first_seen(run_id: str, now: datetime) -> dict[str, Any]:
    return {
        "state": State.LISTED.value,
        "state_since": now,
        "reason": "",
        "detail": "",
        "attempts": 0,
        "first_listed_at": now,
        "last_listed_at": now,
        "first_run_id": run_id,
        "last_run_id": run_id,
    }


def _if_stray(file: ArchiveFile, device_code: str | None) -> dict[str, Any]:
    if device_code is None or device_code == file.device_code:
        return {}
    detail = clean_text(listed_for_another(device_code))
    return {"state": State.QUARANTINED.value, "reason": WRONG_DEVICE, "detail": detail}


def _outcome_columns(outcome: Outcome, state: State, now: datetime) -> dict[str, Any]:
    columns: dict[str, Any] = {"state": state.value, "rule": None}
    if state is State.FILTERED:
        return columns | {"rule": outcome.reason}
    tried = (state is State.HELD and outcome.blames_file) or outcome.sha256 is not None
    columns |= {
        "reason": "" if state is State.MIRRORED else outcome.reason,
        "detail": clean_text(redact(outcome.detail)),
        "attempts": int(tried and state is not State.MIRRORED),
        "next_try_at": outcome.next_try_at if state is State.HELD else None,
    }
    if state is State.MIRRORED:
        columns |= _object_columns(outcome, now)
    if state is State.HELD:
        columns |= dict.fromkeys(("damaged_at", "damage_found_at"), now if outcome.reason in _DAMAGE else None)
    if state is State.QUARANTINED:
        columns |= {"quarantine_key": outcome.key, "quarantine_sha256": outcome.sha256}
    if state in {State.MIRRORED, State.QUARANTINED} or tried:
        columns |= settled_columns(outcome.file, outcome.size_bytes)
    elif state is State.HELD:
        columns |= dict.fromkeys(SETTLED)  # no attempt: what was settled stays
    return columns


def _object_columns(outcome: Outcome, now: datetime) -> dict[str, Any]:
    return {
        "key": outcome.key,
        "sha256": outcome.sha256,
        "size_bytes": size_or_none(outcome.size_bytes or outcome.file.expected_bytes),
        "grade": outcome.grade.value if outcome.grade else None,
        "mirrored_at": now,
        "last_read_at": None,
        "damaged_at": None,
        "found": None if outcome.content is None else content_text(outcome.content),
    }


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["device_code"], row["filename"]))
