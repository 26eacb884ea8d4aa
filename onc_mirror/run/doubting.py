"""Holding a listing against what is known of the device: what is missing from it, and is it to be believed."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from onc_mirror.devices import has_left_water
from onc_mirror.run.habits import HISTORY, falls_short, lacks_too_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onc_mirror.mirror import Mirror
    from onc_mirror.model import ArchiveFile, Listing, TimeWindow

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
        `listing` with `doubt`, or else with the vanished ones as `unlisted`.

    Raises:
        MirrorError: The ledger or the archive did not answer.
    """
    code = listing.device_code
    listed = {file.filename for file in listing.files}
    known = mirror.ledger.archived_between(code, window)
    examined = account_for(mirror, listing, [file for file in known if file.filename not in listed], len(listed))
    if examined.doubt is not None:
        return examined
    doubt = falls_short(len(listing.files), mirror.ledger.archive_times(code, window.until - HISTORY), window)
    # Taken out of the water before the window was over: its habits end, too.
    if doubt is None or has_left_water(mirror.archive, code, window.until):
        return examined
    return doubted(listing, doubt)


def account_for(mirror: Mirror, listing: Listing, missing: Sequence[ArchiveFile], found: int) -> Listing:
    """Say which of the missing files have vanished from the archive, or that the listing is to be doubted instead.

    Many are believed to have vanished when each of them was asked for by its name, and the archive does list others
    of the device; an archive that lists nothing at all says nothing about any of them.

    Args:
        mirror: The parts.
        listing: What the archive listed, the rows beside those that were looked for included.
        missing: Files that must be in it, by what is known of them, and are not.
        found: How many of those that were looked for are in it.

    Returns:
        `listing` with `doubt`, or else with the vanished ones as `unlisted`: each was asked for and not found.

    Raises:
        MirrorError: The archive did not answer.
    """
    if not missing:
        return listing
    many = lacks_too_many(found, len(missing))
    answers = any(file.device_code == listing.device_code for file in listing.files)
    if many is not None and (not answers or len(missing) > _ASKED_FOR):
        return doubted(listing, many)
    gone = tuple(file for file in missing[:_ASKED_FOR] if not mirror.archive.still_lists(file))
    if many is not None and len(gone) < len(missing):
        return doubted(listing, f"{many} Asked for by name, {len(missing) - len(gone)} of them are there.")
    return replace(listing, unlisted=gone)


def doubted(listing: Listing, doubt: str) -> Listing:
    """`listing` with the doubt about it, which is logged."""
    logger.warning("device=%s reason=%s detail=%r", listing.device_code, REASON, doubt)
    return replace(listing, doubt=doubt)
