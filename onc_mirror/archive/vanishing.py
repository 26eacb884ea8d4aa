"""Whether a file that the archive listed has gone from it, or is only hard to get at this moment.

Restricted data, a broken search index and a file that was taken away look alike: not listed, 400/96 when asked for.
A file is gone when the archive answers as usual and lacks it, that is, when it lists others of the device beside
where the file was.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.archive.whereabouts import windows_with
from onc_mirror.errors import MirrorError, NotReadyError, PermanentError

if TYPE_CHECKING:
    from datetime import datetime

    from onc_mirror.archive import Archive
    from onc_mirror.model import ArchiveFile

_BESIDE = timedelta(days=1)


class UnlistedError(PermanentError):
    """The archive neither hands a file out nor lists it any more: it will not have it in the next minutes either."""

    reason = NotReadyError.reason


def worth_waiting(archive: Archive, file: ArchiveFile, refusal: NotReadyError) -> MirrorError:
    """Return `refusal`, which trying again soon may cure, or an `UnlistedError` when the file is not listed any more.

    An archive that does not say so either is one to try again.
    """
    try:
        listed = archive.still_lists(file)
    except MirrorError:
        return refusal
    if listed:
        return refusal
    return UnlistedError(
        "The archive does not hand it out, and does not list it any more.",
        subject=file.filename,
        status=refusal.status,
        api_code=refusal.api_code,
    )


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
