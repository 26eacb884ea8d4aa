"""Files of the ledger as rows of a table and as JSON, for the commands that name files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onc_mirror.cli.tables import print_table, print_text
from onc_mirror.model import State
from onc_mirror.utc import text_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from onc_mirror.ledger import FileRecord

MOST = 20
"""Files that a table names unless all are asked for."""

_UNTRIED = frozenset({State.HELD, State.LISTED})


def print_files(what: str, files: Sequence[FileRecord], total: int, columns: Mapping[str, str]) -> None:
    """Print files, those that are in their state for longest first, and how many more there are.

    Args:
        what: What they are, for the title.
        files: The files.
        total: How many there are in all.
        columns: Headings, each with the name of a fact of `file_facts`.
    """
    if not files:
        print_text(f"{what}: no file.")
        return
    title = what if len(files) >= total else f"{what}: the oldest {len(files)} of {total}"
    facts = [file_facts(file) for file in files]
    print_table(title, tuple(columns), [tuple(one[name] for name in columns.values()) for one in facts])
    if len(files) < total:
        print_text(f"... and {total - len(files)} more: --all names them.")


def file_facts(file: FileRecord) -> dict[str, Any]:
    """Return what is known of a file, for people."""
    return {
        "filename": file.filename,
        "device": file.device_code,
        "state": file.state,
        "reason": file.reason,
        "since": file.since,
        "attempts": file.attempts,
        "next_try": file.next_try_at or ("next run" if file.state in _UNTRIED else None),
        "quarantine_key": file.quarantine_key,
        # Details begin with the file they are about, which has a column of its own here.
        "detail": file.detail.removeprefix(f"{file.filename}: "),
    }


def file_json(file: FileRecord) -> dict[str, Any]:
    """Return what is known of a file, for programs."""
    return {
        "filename": file.filename,
        "device": file.device_code,
        "state": file.state,
        "reason": file.reason,
        "since": text_or_none(file.since),
        "attempts": file.attempts,
        "next_try_at": text_or_none(file.next_try_at),
        "quarantine_key": file.quarantine_key,
        "detail": file.detail,
    }
