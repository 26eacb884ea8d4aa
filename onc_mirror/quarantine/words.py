"""What people are told of one file: the facts in order, and what happens next to it. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from onc_mirror.ledger.rows import has_changed
from onc_mirror.model import State
from onc_mirror.utc import time_text
from onc_mirror.wording import size_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from onc_mirror.ledger import Dossier

_ROW = ("fileSize", "archivedDate", "modifyDate")


def facts(dossier: Dossier) -> dict[str, str]:
    """Return what the ledger knows of a file, for people; what is not known is left out."""
    file, content = dossier.file, dossier.content
    told = {
        "file": file.filename,
        "device": file.device_code,
        "state": f"{dossier.state} since {_time(dossier.state_since)}",
        "reason": dossier.rule if dossier.state is State.FILTERED else dossier.reason,
        "what happened": dossier.detail.removeprefix(f"{file.filename}: "),
        "attempts": str(dossier.attempts or ""),
        "next try": _time(dossier.next_try_at),
        "archive has": _version(file.expected_bytes, file.changed_at),
        "decided about": _version(dossier.settled_bytes, dossier.settled_at),
        "bad bytes": dossier.quarantine_key,
        "their SHA-256": dossier.quarantine_sha256,
        "proven copy": dossier.key,
        "its SHA-256": dossier.sha256,
        "its grade": dossier.grade,
        "its size": None if dossier.size_bytes is None else size_text(dossier.size_bytes),
        "its datasets": None if content is None or content.dataset_count is None else str(content.dataset_count),
        "mirrored": _time(dossier.mirrored_at),
        "last read back": _time(dossier.last_read_at),
        "first listed": _time(dossier.first_listed_at),
        "last listed": _time(dossier.last_listed_at),
        "last run": dossier.last_run_id,
    }
    return {name: text for name, text in told.items() if text}


def note_facts(note: Mapping[str, Any]) -> dict[str, str]:
    """Return what was noted beside bad bytes, for people: what was found in them, and the archive's row of then."""
    found, row = note.get("found"), note.get("archive_row")
    told: dict[str, Any] = {"grade passed": note.get("grade"), "bytes": note.get("bytes")}
    if isinstance(found, dict):
        told |= {"datasets read": found.get("dataset_count"), "notes": "; ".join(map(str, found.get("notes") or ()))}
    if isinstance(row, dict):
        told |= {f"{name} then": row.get(name) for name in _ROW}
    return {name: str(value) for name, value in told.items() if value not in {None, ""}}


def next_step(dossier: Dossier) -> str:
    """Say in a sentence or two what happens next to a file, and what an operator can do."""
    name, code = shlex.quote(dossier.file.filename), shlex.quote(dossier.file.device_code)
    if dossier.state is not State.QUARANTINED:
        return _UNQUARANTINED[dossier.state].format(due=_time(dossier.next_try_at) or "at once")
    if dossier.is_of_the_row:
        return (
            "Nothing can be fetched under such a row. Each listing looks at it anew by itself; tell ONC, who alone"
            " can put it right."
        )
    again = f"'onc-mirror quarantine retry {name} --device {code}' has it fetched anew"
    if is_replaced(dossier):
        return f"The archive has touched it since: the next run fetches it by itself, or {again}."
    if dossier.quarantine_key is None:
        return f"No whole copy ever came. It is left alone until the archive's row changes; {again}."
    return (
        f"It is left alone until the archive's row changes; {again}, and 'onc-mirror quarantine release {name}"
        f" --device {code}' publishes these bytes where they pass: --grade says how far. Tell ONC of it."
    )


def is_replaced(dossier: Dossier) -> bool:
    """Whether the archive has touched the file since its state was decided; the planner's rule in `planning`."""
    return has_changed(dossier.file, dossier.settled_at, dossier.settled_bytes)


_UNQUARANTINED = {
    State.LISTED: "The next run fetches it.",
    State.HELD: "The next run after its time tries it again: {due}.",
    State.MIRRORED: "Nothing is left to do.",
    State.FILTERED: "The rule leaves it out; once the settings want it, the next hourly run fetches it.",
    State.GONE: "The archive has it no more; should it list it again, it is fetched. An object stays.",
}


def _version(size_bytes: int | None, at: datetime | None) -> str:
    size = "" if size_bytes is None else f"{size_bytes} bytes"
    return f"{size} of {_time(at)}".strip() if at is not None else size


def _time(time: datetime | None) -> str:
    return "" if time is None else time_text(time, "seconds")
