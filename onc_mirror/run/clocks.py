"""The archive's clock, by which every window of archive time ends, and what is told when it is not ours.

Rows carry the archive's times. A watermark that a wrong clock sets passes rows unseen; a listing that ends by one
that is late brings files late.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from onc_mirror.errors import MirrorError, UnreachableError
from onc_mirror.report.document import NO_DEVICE, DeviceError
from onc_mirror.run.archive_windows import FIRST_WINDOW
from onc_mirror.utc import time_text

if TYPE_CHECKING:
    from onc_mirror.mirror import Mirror
    from onc_mirror.run.life import Run

logger = logging.getLogger(__name__)

APART = timedelta(minutes=5)
"""Between two clocks, more than this is an error of the run."""

_TOLERANCE = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class ArchiveClock:
    """What the archive's clock said.

    Attributes:
        until: The latest moment that a listing may be asked for: nothing can have been archived later. UTC.
        ahead: How far it was ahead of the mirror's clock; negative when it was behind.
    """

    until: datetime
    ahead: timedelta

    @property
    def trouble(self) -> DeviceError | None:
        """What the run's report says of it."""
        if abs(self.ahead) <= APART:
            return None
        minutes = self.ahead.total_seconds() / 60
        detail = (
            f"The archive's clock is {minutes:+.0f} min from ours; what is archived after the earlier of the two"
            " comes late. Set this machine's clock; when it is right, some cache answers in the archive's place."
        )
        return DeviceError(NO_DEVICE, "clock-apart", detail)


UNKNOWN = DeviceError(
    NO_DEVICE,
    "clock-unknown",
    "The archive did not tell its time, so that no watermark moves in this run; files are mirrored all the same. If"
    " it stays so, check ONC_MIRROR_ARCHIVE_URL and what is on the way there.",
)


def read_clock(mirror: Mirror, run: Run) -> ArchiveClock | None:
    """Make the run's first request to the archive, which needs neither a device nor a token.

    Returns:
        The archive's clock; None when it does not tell its time.

    Raises:
        UnreachableError: There is no connection. What else may be wrong with the archive its listings will say.
    """
    try:
        measured = mirror.archive.measure_clock()
    except UnreachableError:
        raise
    except MirrorError as error:
        logger.warning("reason=%s detail=%r", UNKNOWN.reason, str(error))
        return None
    archive_time, our_time = datetime.now(UTC) + measured, mirror.clock()
    until = archive_time - _TOLERANCE
    if run.began_at - until <= 2 * _TOLERANCE:
        until = run.began_at
    clock = ArchiveClock(until, archive_time - our_time)
    if clock.trouble is not None:
        logger.warning("reason=%s detail=%r", clock.trouble.reason, clock.trouble.detail)
    return clock


def watermark_by(mirror: Mirror, clock: ArchiveClock | None, device_code: str) -> datetime | None:
    """Return a device's watermark, and set one right first that only our clock has noted, when that was ahead.

    While the archive cannot be reached, nothing else says from where a device is to be listed when it can.

    Args:
        mirror: The parts.
        clock: What the archive's clock says by now; None when it does not.
        device_code: The device.
    """
    mark = mirror.ledger.watermark(device_code)
    if mark is None or clock is None or (mark <= clock.until and clock.ahead >= -APART):
        return mark
    mirror.ledger.beginnings.set_back(device_code, min(mark + clock.ahead, clock.until - FIRST_WINDOW))
    return mirror.ledger.watermark(device_code)


def doubt_watermark(watermark: datetime | None, until: datetime) -> str | None:
    """Say that a watermark lies in the archive's future, or None.

    Args:
        watermark: A device's watermark.
        until: The archive's time.
    """
    if watermark is None or watermark - until <= APART:
        return None
    return (
        f"Its watermark {time_text(watermark, 'seconds')} is later than the archive's time"
        f" {time_text(until, 'seconds')}: a clock was wrong. What was archived before this run's window may be"
        " missing; `onc-mirror reconcile` fetches it."
    )
