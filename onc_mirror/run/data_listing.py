"""Listing a device by the time of its data: backfills and reconciles ask so, the hourly run by archive time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.metrics.meter import Stage
from onc_mirror.model import TimeWindow

if TYPE_CHECKING:
    from onc_mirror.mirror import Mirror
    from onc_mirror.model import Listing

# The archive lists what overlaps a window: a file without length that begins with it would be left out.
_EDGE = timedelta(milliseconds=1)


def list_data(mirror: Mirror, device_code: str, window: TimeWindow) -> Listing:
    """List at least the files of a device whose data begin in a window; also what reaches into it.

    Raises:
        MirrorError: The archive does not list.
    """
    with mirror.meter.timing(Stage.LIST):
        return mirror.archive.list_files(device_code, data=TimeWindow(window.since - _EDGE, window.until))
