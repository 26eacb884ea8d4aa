"""Keeping what the archive has replaced: a proven copy goes from its key to `superseded/`, and no byte of it is lost.

The successor mostly comes under the same key. Then the old copy is kept before it is written over (`keep_rival`). It
has another key when the archive has moved the file to another day, or the layout was changed meanwhile. Then the old
copy is moved after its successor is published (`retire`): copied, the copy proven, the original deleted, and only
then does the ledger learn of the successor. So a kill between any two of these leaves either both copies, or one
under `superseded/` that the ledger still knows under its old key; both end well in the next run.

`retire` deletes from the bucket: the same bytes were just seen elsewhere.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from onc_mirror.errors import StoreUnavailableError
from onc_mirror.layout import superseded_key
from onc_mirror.provenance import names
from onc_mirror.reading import measure

if TYPE_CHECKING:
    from onc_mirror.model import ArchiveFile, ProvenObject, StoredObject
    from onc_mirror.store import ObjectStore

logger = logging.getLogger(__name__)

_SHA256 = re.compile(r"[0-9a-f]{64}")


def keep_rival(store: ObjectStore, file: ArchiveFile, key: str, sha256: str) -> str | None:
    """Keep what is under `key` unless it has this SHA-256; afterwards it may be written over.

    Returns:
        Where it is kept, None when there is nothing to keep.

    Raises:
        MirrorError: The store did not do it.
    """
    stored = store.head(key)
    if stored is None or (old := _content(store, stored)) == sha256:
        return None
    return _keep(store, file, stored, old)


def retire(store: ObjectStore, file: ArchiveFile, former: ProvenObject) -> str | None:
    """Move the former copy of a file, whose successor is published under another key, to `superseded/`.

    What is under the former's key and neither has its bytes nor says that it is of `file` stays where it is.

    Returns:
        Where it is kept, None when there is nothing to move.

    Raises:
        MirrorError: The store did not do it; nothing was deleted.
    """
    stored = store.head(former.key)
    if stored is None:
        return None  # a run that was killed before it told the ledger has moved it
    sha256 = _content(store, stored)
    if sha256 != former.sha256 and not names(stored, file):
        detail = "It is left there: something else has replaced it."
        logger.warning("file=%s key=%s detail=%r", file.filename, former.key, detail)
        return None
    kept = _keep(store, file, stored, sha256)
    store.delete(former.key)
    return kept


def _keep(store: ObjectStore, file: ArchiveFile, stored: StoredObject, sha256: str) -> str:
    target = superseded_key(file, sha256)
    kept = store.copy(stored.key, target)
    if kept.size_bytes != stored.size_bytes or _content(store, kept) != sha256:
        raise StoreUnavailableError(f"The copy of {stored.key} is not what it was copied from.", subject=target)
    logger.info("file=%s key=%s superseded=%s", file.filename, stored.key, target)
    return target


def _content(store: ObjectStore, stored: StoredObject) -> str:
    """The SHA-256 of an object: what its metadata says, else, when something else put it there, what is read."""
    told = stored.metadata.get("sha256", "")
    if _SHA256.fullmatch(told):
        return told
    return measure(store, stored.key, lambda _: None)
