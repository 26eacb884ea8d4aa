"""What a backfill is asked, and what it goes over: whole days of data, of the devices that were in the water then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from onc_mirror.backfill.slicing import count_slices
from onc_mirror.errors import SettingsError
from onc_mirror.report.tally import MOST_NAMED, Tally
from onc_mirror.retrying import with_retries
from onc_mirror.run.clocks import read_clock
from onc_mirror.run.gathering import Inquiry, MirrorRequest, begin_inquiry, devices_of
from onc_mirror.run.same_bucket import look_at_bucket
from onc_mirror.utc import time_text
from onc_mirror.windows import whole_days

if TYPE_CHECKING:
    from onc_mirror.mirror import Mirror
    from onc_mirror.model import TimeWindow
    from onc_mirror.run.life import Run
    from onc_mirror.selection import Selection

FIRST_DATA = datetime(2006, 1, 1, tzinfo=UTC)
"""Nothing is older: VENUS, the first of ONC's observatories, began in February 2006."""


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """What one backfill is asked to do.

    Attributes:
        since: Begin of the data, UTC; its whole day.
        until: End of the data, UTC, with its whole day; None: now.
        devices: Device codes; empty means all of the table that were in the water in the range.
        locations: Location codes to keep; empty means all.
        categories: Device category codes to keep; empty means all.
        selection: Which of the listed rows are wanted; None means the settings' extensions.
        only_failed: Only files that the ledger holds, or that were given up after their last attempt. Of those held,
            the ones whose next try is due.
    """

    since: datetime
    until: datetime | None = None
    devices: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    selection: Selection | None = None
    only_failed: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """What a backfill goes over.

    Attributes:
        inquiry: What it asks.
        device_codes: The devices.
        days: Whole days of data.
        only_failed: See `BackfillRequest`.
    """

    inquiry: Inquiry
    device_codes: tuple[str, ...]
    days: TimeWindow
    only_failed: bool = False

    @property
    def slices(self) -> int:
        """How many slices it has."""
        return count_slices(self.device_codes, self.days)

    def new_tally(self) -> Tally:
        """A tally of its files that names no more than the report of a run over years may."""
        return Tally(self.device_codes, most_named=MOST_NAMED)


def begin_backfill(mirror: Mirror, run: Run, request: BackfillRequest) -> Span:
    """Fix days and devices, and find out whether the archive can be asked and the bucket is there.

    Raises:
        SettingsError: The range is empty.
        MirrorError: The bucket is missing, closed or another one, or the token is rejected.
    """
    days = data_days(request, run.began_at)
    asked = MirrorRequest(
        data=days,
        devices=request.devices,
        locations=request.locations,
        categories=request.categories,
        selection=request.selection,
    )
    delays = mirror.settings.retry_delays_s
    inquiry = begin_inquiry(run, asked, lambda: with_retries(lambda: read_clock(mirror, run), delays))
    codes = tuple(device.code for device in devices_of(mirror, inquiry))
    look_at_bucket(mirror, codes)
    return Span(inquiry, codes, days, request.only_failed)


def data_days(request: BackfillRequest, now: datetime) -> TimeWindow:
    """The whole days that a request is about, up to today.

    Raises:
        SettingsError: They lie in the future, before there were data, or end before they begin.
    """
    since, until = request.since, min(request.until or now, now)
    if since >= now:
        raise SettingsError(
            f"There are no data yet: the range begins at {time_text(since)}, and it is {time_text(now)}."
        )
    if since < FIRST_DATA:
        raise SettingsError(
            f"There are no data of {since:%Y-%m-%d}: ONC began to record in 2006. Begin at {FIRST_DATA:%Y-%m-%d}."
        )
    if since >= until:
        raise SettingsError(f"The range ends before it begins: {time_text(since)} .. {time_text(until)}.")
    return whole_days(since, until)
