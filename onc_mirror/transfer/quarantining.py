"""Putting bytes into quarantine: the object, and beside it a note that says why and of which archive row it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from onc_mirror.layout import quarantine_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onc_mirror.model import ArchiveFile, Fetched, Verdict
    from onc_mirror.store import ObjectStore


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
        The key of the bytes; that of the note is the same with `.json`.

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
    store.write(f"{key}.json", json.dumps(note, indent=2, default=str).encode(), "application/json")
    return key
