"""What the archive has, without downloading: the Python side of `onc-mirror list`, `devices` and `products`.

    from onc_mirror.browsing import list_archive_files
    from onc_mirror.mirror import open_archive
    from onc_mirror.settings import load_settings

    with open_archive(load_settings()) as archive:
        frame = list_archive_files(archive, ["TUMLIDAR001"], archived=window)

Nothing here writes anything anywhere.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from onc_mirror.frames import listing_frame
from onc_mirror.selection import Selection, excluding_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from onc_mirror.archive import OncArchive
    from onc_mirror.model import TimeWindow

_SIDE_BY_SIDE = 8


def list_archive_files(
    archive: OncArchive,
    device_codes: Sequence[str],
    *,
    archived: TimeWindow | None = None,
    data: TimeWindow | None = None,
    selection: Selection | None = None,
) -> pd.DataFrame:
    """List what the archive has for devices.

    Args:
        archive: Where to ask.
        device_codes: The devices to ask for, in the order of the answer.
        archived: Only what was archived in this window.
        data: Only what overlaps this window of data time.
        selection: Which of the listed files to keep; all when None.

    Returns:
        One row per file with the typed columns of `frames.COLUMNS`; times are UTC, sizes bytes.

    Raises:
        MirrorError: A device could not be listed.
    """
    selection = selection or Selection()
    extensions = selection.extensions or frozenset()
    # The archive filters by one extension at most; with several it is left to the selection.
    extension = next(iter(extensions)) if len(extensions) == 1 else None
    with ThreadPoolExecutor(_SIDE_BY_SIDE, "list") as pool:
        listings = pool.map(
            lambda code: archive.list_files(code, archived=archived, data=data, extension=extension), device_codes
        )
        frame = listing_frame([file for listing in listings for file in listing.files])
    return frame[excluding_rules(frame, selection).isna()].reset_index(drop=True)
