"""What to do about each listed file: listing x ledger x selection -> one decision per file, with its reason.

Pure: no clock, no I/O, the inputs are not changed. The dry run and the run ask the same `plan`. A file that was asked
for by its name and that the archive does not list is gone, `not-listed`. For each other file the first that applies:

    1. the row is of another device than was asked for         quarantined, `wrong-device`
    2. the name cannot be a key (`layout` decides)             quarantined, `bad-name`
    3. mirrored, and the archive's row is as it was then       already
    4. quarantined, and the archive's row is as it was then    quarantined, the ledger's reason
    5. the selection leaves it out                             filtered, the rule's name
    6. its next try is not due, and the row as at the last     held, the ledger's reason
    7. anything else                                           fetch, and why:
       `new` (also: an interrupted run left it), `due` (was held), `re-archived` (the archive's row changed since the
       file came to its end, or since the last attempt at it failed),
       `listed-again` (was gone), `selected` (was filtered or under 1 or 2, and no longer is)

A row has changed when the later of its `archivedDate` and `modifyDate` is later than it was, or its size is
another. `modifyDate` is set some seconds after `archivedDate`, so a file that was fetched between the two counts as
changed once; the second fetch settles the new time, and it stays settled. A row that looks older with the same size
is a stale answer, not a change. Of a mirrored file that changed and that the selection leaves out, as one whose
extension a person once asked for, the mirrored version stays.

A next try further ahead than the longest pause was set by a clock that ran ahead, and is due.

What the ledger knows comes from `Ledger.entries`; a decision of 1, 2 or 5 that it does not know yet is
for the caller to record (`to_record`).
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from onc_mirror.errors import ClaimLostError, UnsafeNameError
from onc_mirror.frames import COLUMNS, STRING, TIME, files_from_frame, typed_column
from onc_mirror.layout import check_name, mirrored_key
from onc_mirror.model import BY_THE_ROW, WRONG_DEVICE, Decision, Outcome, State, listed_for_another
from onc_mirror.selection import Selection, excluding_rules
from onc_mirror.utc import time_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime, timedelta

    from onc_mirror.model import ArchiveFile

NOT_LISTED = "not-listed"
RE_ARCHIVED = "re-archived"
_KEY = ["device_code", "filename"]


def plan(  # noqa: PLR0913 - by keyword
    listed: pd.DataFrame,
    entries: pd.DataFrame,
    selection: Selection,
    *,
    now: datetime,
    device_code: str | None = None,
    longest_pause: timedelta | None = None,
) -> pd.DataFrame:
    """Decide about every listed file.

    Args:
        listed: A listing with the columns of `frames.COLUMNS`, in any order.
        entries: What the ledger knows (`Ledger.entries`), of these files at least.
        selection: What is wanted.
        now: The moment at which a held file is due or not, UTC.
        device_code: The device that was asked for; None when rows may be of any.
        longest_pause: The longest that a held file may have to wait; None: any.

    Returns:
        One row per distinct file, sorted by `device_code` and `filename`, with the listing's columns and `decision`
        (values of `Decision`), `reason` and `detail` (empty where there is nothing to say), and the ledger's `state`,
        `known_rule`, `attempts`, `next_try_at`, `key`, `sha256`, `size_bytes`, `mirrored_at` and `revision`, missing
        where the ledger has none. Of several differing rows for a file the one that the archive touched last is here.
    """
    files = _one_row_per_file(listed)
    known = entries.rename(columns={"reason": "known_reason", "detail": "known_detail", "rule": "known_rule"})
    rows = files.merge(known, on=_KEY, how="left")
    rows["decision"] = pd.Series(Decision.FETCH.value, index=rows.index, dtype=STRING)
    rows["reason"] = _reasons_to_fetch(rows)
    rows["detail"] = _what_changed(rows)
    _hold_back(rows, now, pd.Timestamp.max.tz_localize("UTC") if longest_pause is None else now + longest_pause)
    _refuse(rows, selection, device_code)
    return rows.drop(columns=["known_reason", "known_detail", "settled_bytes", "settled_at"])


def plan_unlisted(unlisted: pd.DataFrame, entries: pd.DataFrame, *, now: datetime) -> pd.DataFrame:
    """Declare gone the files that were asked for by their names and that the archive does not list.

    Returns:
        As `plan`.
    """
    rows = plan(unlisted, entries, Selection(), now=now)
    _decide(rows, rows["filename"].notna(), Decision.GONE, NOT_LISTED, "The archive does not list it.")
    return rows


def as_held(entries: pd.DataFrame, filenames: Collection[str]) -> pd.DataFrame:
    """Return `entries` with those of these files that are quarantined as if they were held and due."""
    again = entries["filename"].isin(filenames) & entries["state"].eq(State.QUARANTINED)
    return entries.assign(
        state=entries["state"].mask(again, State.HELD.value), next_try_at=entries["next_try_at"].mask(again)
    )


def claimable(planned: pd.DataFrame) -> tuple[tuple[ArchiveFile, int], ...]:
    """Return the files to fetch, each with the ledger's revision of it that was planned with."""
    wanted = planned[planned["decision"] == Decision.FETCH]
    return tuple(zip(files_from_frame(wanted), wanted["revision"].fillna(0).astype(int), strict=True))


def leave_to_others(planned: pd.DataFrame, theirs: Mapping[ArchiveFile, datetime | None]) -> pd.DataFrame:
    """Hold the files that other runs work on.

    Args:
        planned: As `plan` returned it.
        theirs: The files, each with the moment at which it is free again if its run dies; None: unknown.

    Returns:
        `planned` with those files held, `claimed-elsewhere`.
    """
    if not theirs:
        return planned
    until = {(file.device_code, file.filename): time for file, time in theirs.items()}
    keys = pd.MultiIndex.from_frame(planned[_KEY])
    where = pd.Series(keys.isin(list(until)), index=planned.index)
    free_at = typed_column([until.get(key) for key in keys], TIME)
    free_at.index = planned.index
    rows = planned.assign(next_try_at=planned["next_try_at"].mask(where, free_at))
    _decide(rows, where, Decision.HELD, ClaimLostError.reason, rows["next_try_at"].map(_whose))
    return rows


def _whose(free_at: datetime | None) -> str:
    if free_at is None or pd.isna(free_at):
        return "Another run is working on it."
    return (
        f"Another run is working on it; should that one be dead, the file is free at {time_text(free_at, 'seconds')}."
    )


def outcomes(planned: pd.DataFrame) -> tuple[Outcome, ...]:
    """Return the outcome of every planned file that is not to be fetched, in the plan's order."""
    rest = planned[planned["decision"] != Decision.FETCH]
    next_tries = (None if pd.isna(time) else time.to_pydatetime() for time in rest["next_try_at"])
    return tuple(
        Outcome(file, Decision(decision), reason, detail, next_try_at=next_try)
        for file, decision, reason, detail, next_try in zip(
            files_from_frame(rest), rest["decision"], rest["reason"], rest["detail"], next_tries, strict=True
        )
    )


def to_record(planned: pd.DataFrame) -> tuple[Outcome, ...]:
    """Return the outcomes that the planner decided by itself and that the ledger does not hold yet.

    All else that is not to be fetched stands in the ledger already. None of these is an attempt: a held file is one
    that a filter left out, and that is wanted again before its next try.
    """
    decision, state = planned["decision"], planned["state"]
    filtered = (decision == Decision.FILTERED) & (planned["known_rule"].fillna("") != planned["reason"])
    refused = (decision == Decision.QUARANTINED) & planned["reason"].isin(BY_THE_ROW)
    # A name that the ledger does not know either may be a slip of the pen: it was never listed.
    gone = (decision == Decision.GONE) & state.notna() & state.ne(State.GONE)
    held_again = (decision == Decision.HELD) & state.eq(State.FILTERED)
    settled = state.isin((State.MIRRORED, State.QUARANTINED))
    chosen = planned[(filtered | refused) & ~settled | (gone | held_again).fillna(False)]
    ends = outcomes(chosen)
    return tuple(replace(end, blames_file=False) if end.decision is Decision.HELD else end for end in ends)


def _one_row_per_file(listed: pd.DataFrame) -> pd.DataFrame:
    """Sort by file; of several rows for one keep that which the archive touched last."""
    ordered = listed.sort_values(_KEY, ignore_index=True)
    doubled = ordered.duplicated(_KEY, keep=False)
    if not doubled.any():
        return ordered
    rows = ordered[doubled]
    # Whatever order the archive listed them in, the same row must win: after the times, its text decides.
    rank = pd.DataFrame({"at": _changed_at(rows), "size": rows["stored_bytes"], "text": rows.apply(_as_text, axis=1)})
    rows = rows.loc[rank.sort_values(["at", "size", "text"], na_position="first").index]
    both = pd.concat([ordered[~doubled], rows.drop_duplicates(_KEY, keep="last")])
    return both.sort_values(_KEY, ignore_index=True)


def _as_text(row: pd.Series[Any]) -> str:
    return json.dumps({name: row[name] for name in COLUMNS if name not in _KEY}, sort_keys=True, default=str)


def _changed_at(rows: pd.DataFrame) -> pd.Series[Any]:
    archived, modified = rows["archived_at"], rows["modified_at"]
    return archived.where((archived >= modified) | modified.isna(), modified)


def _changed(rows: pd.DataFrame) -> pd.Series[bool]:
    """As `ledger.rows.has_changed`, of many rows."""
    changed_at, settled_at = _changed_at(rows), rows["settled_at"]
    later = (changed_at > settled_at) | (changed_at.notna() & settled_at.isna())
    return later | (rows["expected_bytes"] != rows["settled_bytes"]).fillna(False).astype(bool)


def _reasons_to_fetch(rows: pd.DataFrame) -> pd.Series[Any]:
    state = rows["state"]
    refused = state.eq(State.QUARANTINED) & rows["known_reason"].isin(BY_THE_ROW)
    held = state.eq(State.HELD).fillna(False).astype(bool)
    tried = rows["settled_at"].notna() | rows["settled_bytes"].notna()
    reasons = pd.Series("new", index=rows.index, dtype=STRING)
    return (
        reasons.mask(held, "due")
        .mask(held & tried & _changed(rows), RE_ARCHIVED)
        .mask(state.eq(State.GONE).fillna(False), "listed-again")
        .mask(state.isin((State.MIRRORED, State.QUARANTINED)), RE_ARCHIVED)
        .mask((state.eq(State.FILTERED) | refused).fillna(False), "selected")
    )


def _what_changed(rows: pd.DataFrame) -> pd.Series[Any]:
    details = pd.Series("", index=rows.index, dtype=STRING)
    changed = rows[rows["reason"].eq(RE_ARCHIVED) & _changed(rows)]
    for index, was_bytes, is_bytes, was_at, is_at in zip(
        changed.index,
        changed["settled_bytes"],
        changed["expected_bytes"],
        changed["settled_at"],
        _changed_at(changed),
        strict=True,
    ):
        details[index] = f"The archive's file was {was_bytes} bytes of {was_at} and is {is_bytes} bytes of {is_at}."
    return details


def _hold_back(rows: pd.DataFrame, now: datetime, latest: datetime) -> None:
    settled = rows["reason"].eq(RE_ARCHIVED) & ~_changed(rows)
    waiting = ~rows["reason"].eq(RE_ARCHIVED) & rows["next_try_at"].gt(now) & rows["next_try_at"].le(latest)
    _decide(rows, settled & rows["state"].eq(State.MIRRORED), Decision.ALREADY, "")
    _decide(rows, settled & rows["state"].eq(State.QUARANTINED), Decision.QUARANTINED, rows["known_reason"])
    _decide(rows, waiting, Decision.HELD, rows["known_reason"])
    carried = rows["decision"].isin((Decision.QUARANTINED, Decision.HELD))
    rows["detail"] = rows["detail"].mask(carried, rows["known_detail"])


def _refuse(rows: pd.DataFrame, selection: Selection, device_code: str | None) -> None:
    rules = excluding_rules(rows, selection)
    stands = rows["decision"].isin((Decision.ALREADY, Decision.QUARANTINED))
    _decide(rows, rules.notna() & ~stands, Decision.FILTERED, rules)
    problems = _name_problems(rows)
    _decide(rows, problems.notna(), Decision.QUARANTINED, UnsafeNameError.reason, problems)
    if device_code is not None:
        of_another = rows["device_code"].ne(device_code)
        _decide(rows, of_another, Decision.QUARANTINED, WRONG_DEVICE, listed_for_another(device_code))


def _decide(
    rows: pd.DataFrame, where: pd.Series[bool], decision: Decision, reason: pd.Series[Any] | str, detail: Any = ""
) -> None:
    where = where.fillna(False).astype(bool)
    if where.any():
        rows["decision"] = rows["decision"].mask(where, decision.value)
        rows["reason"] = rows["reason"].mask(where, reason)
        rows["detail"] = rows["detail"].mask(where, detail)


def _name_problems(rows: pd.DataFrame) -> pd.Series[Any]:
    codes = {code: _problem(code) for code in rows["device_code"].unique()}
    names, devices = rows["filename"].tolist(), rows["device_code"].tolist()
    problems = [_problem(name) or codes[device] for name, device in zip(names, devices, strict=True)]
    found = pd.Series(problems, index=rows.index, dtype=STRING)
    undated = rows[rows["begins_at"].isna() & found.isna()]
    for index, file in zip(undated.index, files_from_frame(undated[_KEY]), strict=True):
        try:
            mirrored_key(file)
        except UnsafeNameError as error:
            found[index] = str(error)
    return found


def _problem(name: str) -> str | None:
    try:
        check_name(name)
    except UnsafeNameError as error:
        return str(error)
    return None
