"""Putting a damaged object right: its bytes are kept, and the archive's are fetched, proven and put in its place.

Whoever finds damage (a scrub that reads, a reconcile that compares) has the ledger note it (`noted_damage`), and then
has the file transferred as any other; so does the next hourly run when that one was killed. On the way, before
anything is fetched, `keep_damaged` looks at the object once more.

Guarantees: a damaged object stays where it is until a proven one takes its place, so that a fault in reading costs a
download and nothing else; its bytes are then under `quarantine/` with their measured hash and the reason
`damaged-object`; and an object that turns out to be what was proven is not fetched again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from onc_mirror.model import DAMAGED_OBJECT, Decision, Outcome, Verdict
from onc_mirror.provenance import object_metadata
from onc_mirror.reading import read_into
from onc_mirror.transfer.quarantining import quarantine

if TYPE_CHECKING:
    from onc_mirror.mirror import Mirror
    from onc_mirror.model import ArchiveFile, Fetched, ProvenObject, StoredObject

logger = logging.getLogger(__name__)


def noted_damage(file: ArchiveFile, reason: str, detail: str) -> Outcome:
    """What the ledger is told of a file whose object is missing or damaged, before it is fetched again.

    Args:
        file: The file.
        reason: `missing-object` or `damaged-object`.
        detail: One sentence for people.
    """
    return Outcome(file, Decision.HELD, reason=reason, detail=detail, blames_file=False)


def keep_damaged(mirror: Mirror, file: ArchiveFile) -> str | None:
    """Keep the bytes of an object that is known to be damaged, unless they turn out to be what was proven.

    Done twice it leaves the same objects. An object that tells the truth about other bytes is not damaged but
    replaced: it goes to `superseded/` when its successor is published.

    Returns:
        Where they are kept; None when there is nothing to keep.

    Raises:
        MirrorError: The store does not hand the object out, or does not take its bytes; or scratch has no room.
    """
    proven = mirror.ledger.proven_object(file)
    if proven is None or not proven.damaged:
        return None
    return mirror.retried(lambda: _keep(mirror, file, proven))


def is_rotten(proven: ProvenObject | None, stored: StoredObject | None) -> bool:
    """Whether an object is known to be damaged and says of itself that it is not; `keep_damaged` has its bytes."""
    if proven is None or stored is None or not proven.damaged:
        return False
    return stored.key == proven.key and stored.metadata.get("sha256") == proven.sha256


def _keep(mirror: Mirror, file: ArchiveFile, proven: ProvenObject) -> str | None:
    stored = mirror.store.head(proven.key)
    if stored is None:
        return None
    with mirror.scratch.slot(stored.size_bytes) as folder:
        found = read_into(mirror.store, stored.key, folder / "damaged")
        if found is None:
            return None
        if found.sha256 == stored.metadata.get("sha256"):
            if found.sha256 == proven.sha256:
                mirror.ledger.readings.note_sound(file, proven.sha256, mirror.clock())
            return None
        return _quarantine(mirror, file, proven, found)


def _quarantine(mirror: Mirror, file: ArchiveFile, proven: ProvenObject, found: Fetched) -> str:
    detail = f"It was {proven.key}, proven with SHA-256 {proven.sha256}, and is that no more."
    verdict = Verdict(grade=None, reason=DAMAGED_OBJECT, detail=detail)
    metadata = object_metadata(file, verdict, now=mirror.clock())
    was = {"key": proven.key, "proven_sha256": proven.sha256}
    key = quarantine(mirror.store, file, found, verdict, metadata, **was)
    logger.warning("file=%s key=%s decision=replaced kept=%s", file.filename, proven.key, key)
    return key
