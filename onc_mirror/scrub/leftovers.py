"""Uploads in parts that nobody will end: what a killed run leaves takes room, costs money, and no listing shows it.

Only those of keys as the mirror makes them, below its own prefix, and only a day after they began: whatever is alive
is much quicker. A folder as store has none.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.errors import MirrorError
from onc_mirror.layout import place_of

if TYPE_CHECKING:
    from onc_mirror.mirror import Mirror

logger = logging.getLogger(__name__)

STALE_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What became of stale uploads.

    Attributes:
        found: How many there were.
        aborted: How many are gone now.
        trouble: Why not all of them are, or why nobody knows; empty when all went well.
    """

    found: int = 0
    aborted: int = 0
    trouble: str = ""


def abort_stale_uploads(mirror: Mirror) -> Leftovers:
    """Abort the uploads in parts that began more than a day ago.

    What the store refuses is told and stops nobody: not every store lists uploads, nor grants the right to.
    """
    found = aborted = 0
    before = mirror.clock() - STALE_AFTER
    try:
        for upload in mirror.store.uploads():
            if place_of(upload.key) is None or upload.begun_at >= before:
                continue
            found += 1
            mirror.store.abort_upload(upload)
            aborted += 1
            logger.info("key=%s begun_at=%s decision=aborted", upload.key, upload.begun_at)
    except MirrorError as error:
        logger.warning("uploads=unknown reason=%s detail=%r", error.reason, str(error))
        return Leftovers(found, aborted, str(error))
    return Leftovers(found, aborted)
