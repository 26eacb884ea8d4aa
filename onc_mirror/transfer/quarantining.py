"""Bytes in quarantine: the object, and beside it a note that says why and of which archive row it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from onc_mirror.layout import quarantine_key
from onc_mirror.reading import read_chunks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onc_mirror.model import ArchiveFile, Fetched, Verdict
    from onc_mirror.store import ObjectStore

_LONGEST_NOTE = 32 * 2**20
"""An archive's row is in it, of whatever length."""


def quarantine(
    store: ObjectStore,
    file: ArchiveFile,
    fetched: Fetched,
    verdict: Verdict,
    metadata: Mapping[str, str],
    **more: Any,
) -> str:
    """Keep bad bytes and their note; done twice it leaves the same objects.

    Args:
        store: The bucket.
        file: The archive row.
        fetched: The bytes.
        verdict: Why they are bad.
        metadata: Of the object.
        more: What the note says beyond that.

    Returns:
        The key of the bytes.

    Raises:
        MirrorError: The store did not take them.
    """
    key = quarantine_key(file, fetched.sha256)
    note = {
        "reason": verdict.reason,
        "detail": verdict.detail,
        "grade": verdict.grade,
        "sha256": fetched.sha256,
        "bytes": fetched.size_bytes,
        **more,
        "archive_row": dict(file.row),
    }
    store.publish(key, fetched, metadata)
    store.write(note_key(key), json.dumps(note, indent=2, default=str).encode(), "application/json")
    return key


def note_key(key: str) -> str:
    """Where the note is beside bad bytes."""
    return f"{key}.json"


def read_note(store: ObjectStore, key: str) -> bytes | None:
    """Read the note beside the bad bytes under `key`; None when it is longer than any that was written.

    Raises:
        ObjectMissingError: There is none.
        MirrorError: The store does not hand it out.
    """
    note = bytearray()
    for chunk in read_chunks(store, note_key(key)):
        note += chunk
        if len(note) > _LONGEST_NOTE:
            return None
    return bytes(note)


def parse_note(note: bytes | None) -> dict[str, Any] | None:
    """Return what a note says; None when it is not what was written there."""
    try:
        content = None if note is None else json.loads(note)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
