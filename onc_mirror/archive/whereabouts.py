"""In which listing of the archive a file must appear, as far as what is known of it says. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from onc_mirror.archive.rows import just_after, just_before
from onc_mirror.model import TimeWindow

if TYPE_CHECKING:
    from datetime import datetime

    from onc_mirror.model import ArchiveFile

_DAY = timedelta(days=1)


class Windows(TypedDict, total=False):
    """Arguments for `list_files`; at most one, and none for all of the device's files."""

    data: TimeWindow
    archived: TimeWindow


def windows_with(file: ArchiveFile, now: datetime, margin: timedelta = timedelta(0)) -> Windows:
    """Return the narrowest window whose listing must have this file, as long as the archive has it.

    By its data, where they begin in the past: the archive refuses windows of data in the future. Else by the time at
    which it was archived; it may be archived again since, so that the window reaches to now, and a day further for
    clocks that are apart.

    Args:
        file: What is known of it.
        now: This machine's time, UTC.
        margin: How much earlier and later others of the device may be listed with it.
    """
    begin, archived = file.begins_at, file.archived_at
    if begin is not None and begin <= now:
        return {"data": TimeWindow(_minus(just_before(begin), margin), just_after(begin) + margin)}
    if archived is not None and archived <= now:
        return {"archived": TimeWindow(_minus(just_before(archived), margin), now + _DAY)}
    return {}


def _minus(time: datetime, margin: timedelta) -> datetime:
    """Return `time - margin`, or `time` where there are no times before."""
    return time - margin if time.replace(tzinfo=None) - time.min >= margin else time
