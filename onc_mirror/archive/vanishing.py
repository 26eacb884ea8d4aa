"""Whether a file that the archive listed has gone from it, or is only hard to get at this moment.

Restricted data, a broken search index and a file that was taken away look alike: not listed, 400/96 when asked for.
A file is gone when the archive answers as usual and lacks it, that is, when it lists others of the device beside
where the file was.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.archive.whereabouts import windows_with

if TYPE_CHECKING:
    from datetime import datetime

    from onc_mirror.archive import Archive
    from onc_mirror.model import ArchiveFile

_BESIDE = timedelta(days=1)


def has_vanished(archive: Archive, file: ArchiveFile, now: datetime) -> bool:
    """Ask for the file itself, then for all within a day of it: whether the archive lists others and not this one.

    Args:
        archive: The archive.
        file: As it was listed last.
        now: UTC.

    Raises:
        MirrorError: The archive did not answer.
    """
    if archive.still_lists(file):
        return False
    beside = archive.list_files(file.device_code, **windows_with(file, now, _BESIDE)).files
    names = {row.filename for row in beside if row.device_code == file.device_code}
    return bool(names) and file.filename not in names
