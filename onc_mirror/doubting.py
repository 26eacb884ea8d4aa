"""Holding a listing against what the ledger knows of the device: what is missing from it, and is it to be believed."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from onc_mirror.habits import HISTORY, suspicion

if TYPE_CHECKING:
    from onc_mirror.mirror import Mirror
    from onc_mirror.model import Listing, TimeWindow

logger = logging.getLogger(__name__)

REASON = "suspicious-listing"

_ASKED_FOR = 20
"""Missing files that one run asks for by name; each is a request, and the next run asks for more."""


def examine(mirror: Mirror, listing: Listing, window: TimeWindow) -> Listing:
    """Say of a listing whether it is to be doubted, and else which known files have vanished from the archive.

    Call it before the listing's rows are entered in the ledger, whose memory it asks.

    Args:
        mirror: The parts.
        listing: What the archive listed for `window`.
        window: A window of archive time, whole: no extension, no product was left out.

    Returns:
        `listing` with `doubt`, or else with the vanished ones as `unlisted`: each was asked for by its name and not
        found.

    Raises:
        MirrorError: The ledger or the archive did not answer.
    """
    code = listing.device_code
    known = mirror.ledger.archived_between(code, window)
    listed = {file.filename for file in listing.files}
    missing = [file for file in known if file.filename not in listed]
    times = mirror.ledger.archive_times(code, window.until - HISTORY)
    doubt = suspicion(len(listing.files), len(missing), times, window)
    if doubt is not None:
        logger.warning("device=%s reason=%s detail=%r", code, REASON, doubt)
        return replace(listing, doubt=doubt)
    asked = missing[:_ASKED_FOR]
    return replace(listing, unlisted=tuple(file for file in asked if not mirror.archive.still_lists(file)))
