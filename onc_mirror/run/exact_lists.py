"""Listing exactly the files that somebody names, as `onc-mirror list` gave them: which of them are there?

The dates of such a list are what somebody wrote; where the ledger knows the file, its own dates say where to look.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.archive.rows import just_after
from onc_mirror.model import TimeWindow
from onc_mirror.run.doubting import account_for
from onc_mirror.wording import some_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from onc_mirror.mirror import Mirror
    from onc_mirror.model import ArchiveFile, Listing

logger = logging.getLogger(__name__)

_INSTANT = timedelta(milliseconds=1)


def list_exactly(mirror: Mirror, device_code: str, only: Iterable[ArchiveFile], now: datetime) -> Listing:
    """List those of `only` that are of one device.

    Returns:
        The rows of those that the archive lists; with the others as `unlisted`, or with `doubt` about the listing.

    Raises:
        MirrorError: The archive or the ledger did not answer.
    """
    named = {file.filename: file for file in only if file.device_code == device_code}
    wanted = named | _as_known(mirror, device_code, named, now)
    span = _span(wanted.values(), now)
    if span is None:
        _announce_long(device_code, wanted.values())
    listing = mirror.archive.list_files(device_code, data=span)
    found = tuple(file for file in listing.files if file.filename in wanted)
    names = {file.filename for file in found}
    missing = [file for name, file in wanted.items() if name not in names]
    return replace(account_for(mirror, listing, missing, len(names)), files=found)


def _announce_long(device_code: str, files: Collection[ArchiveFile]) -> None:
    undated = [file.filename for file in files if file.begins_at is None]
    what = f"of {some_of(undated)} nobody knows when" if undated else "the times in it cannot be asked for"
    logger.warning(
        "device=%s files=%d detail=%r",
        device_code,
        len(files),
        f"The list of files: {what}. So everything that the device ever sent is listed, which may take minutes.",
    )


def _as_known(mirror: Mirror, device_code: str, names: Collection[str], now: datetime) -> dict[str, ArchiveFile]:
    """Return what the ledger knows of these files."""
    from onc_mirror.frames import files_from_frame  # noqa: PLC0415 - pandas takes long to import

    known = mirror.ledger.snapshot(device_code, TimeWindow(now, now + _INSTANT), names)
    return {file.filename: file for file in files_from_frame(known) if file.filename in names}


def _span(files: Collection[ArchiveFile], now: datetime) -> TimeWindow | None:
    """The data time of all of them; None when it is not known of each, or later than the archive can be asked for."""
    begins = [file.begins_at for file in files if file.begins_at is not None]
    ends = [file.ends_at or file.begins_at for file in files if file.begins_at is not None]
    if len(begins) < len(files) or min(begins) > min(now, max(ends)):
        return None
    return TimeWindow(min(begins), just_after(max(ends)))
