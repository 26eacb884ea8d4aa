"""Which devices a run asks, over which window, and what the archive listed for them.

Guarantee: a row that `list_device` returns is in the ledger. A device that cannot be listed becomes an error of
the run and stops nobody. An archive that takes no connection is asked again with the slow retries, once for the
whole run: when that is in vain, no device is asked.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from onc_mirror.devices import STILL_ARRIVING, choose_devices, load_device_table
from onc_mirror.errors import UnknownDeviceError, UnreachableError
from onc_mirror.flow_names import HOURLY, ON_DEMAND
from onc_mirror.metrics.meter import Stage
from onc_mirror.model import ArchiveFile, Device, Listing, TimeWindow
from onc_mirror.report.document import DeviceError
from onc_mirror.report.failures import failure_of, unreached
from onc_mirror.retrying import with_retries
from onc_mirror.run.archive_windows import device_window, end_of_windows
from onc_mirror.run.clocks import UNKNOWN, doubt_watermark, watermark_by
from onc_mirror.run.doubting import REASON as SUSPICIOUS
from onc_mirror.run.doubting import examine
from onc_mirror.run.exact_lists import list_exactly
from onc_mirror.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from onc_mirror.mirror import Mirror
    from onc_mirror.run.clocks import ArchiveClock
    from onc_mirror.run.life import Run
    from onc_mirror.selection import Selection

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MirrorRequest:
    """What one run is asked to do; the defaults are the hourly run.

    Attributes:
        since: Begin of the archive-time window instead of the watermark's, UTC, inclusive.
        until: End of the window instead of now, UTC, exclusive.
        devices: Device codes; empty means all that are deployed.
        locations: Location codes to keep; empty means all.
        categories: Device category codes to keep; empty means all.
        selection: Which of the listed rows are wanted; None means the settings' extensions.
        only: Exactly these archive files, as `onc-mirror list` gave them, and no others, also when there are none;
            None means whatever is listed.
        data: Days of data to look at instead of a window of archive time, as a backfill or a reconcile does.
    """

    since: datetime | None = None
    until: datetime | None = None
    devices: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    selection: Selection | None = None
    only: tuple[ArchiveFile, ...] | None = None
    data: TimeWindow | None = None

    @property
    def sees_everything(self) -> bool:
        """Whether the run wants all that the settings want, so that the watermark may pass what it leaves out."""
        return self.selection is None and self.only is None

    @property
    def flow(self) -> str:
        """What a run of it is called: hourly, whoever starts it, if it goes on where the last one ended."""
        return HOURLY if self.takes_up_held else ON_DEMAND

    @property
    def takes_up_held(self) -> bool:
        """Whether files that earlier runs left unfinished are tried again, though the window lists them no more."""
        return self.sees_everything and self.since is None and self.until is None and self.data is None


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a run asks the archive.

    Attributes:
        run: The run.
        request: What the run is asked.
        until: End of every window of archive time, UTC, exclusive: nothing can have been archived later.
        clock: What the archive's clock said; None when it did not.
        unreachable: Why the archive cannot be asked at all; None when it can.
    """

    run: Run
    request: MirrorRequest
    until: datetime
    clock: ArchiveClock | None = None
    unreachable: UnreachableError | None = None

    def nothing_yet(self) -> Gathered:
        """What has been gathered before the first device is listed."""
        request, clock = self.request, self.clock
        moves = request.sees_everything and clock is not None
        # Files that are named are looked for whenever they were archived.
        until = self.until if request.only is None else None
        gathered = Gathered(request.since, until, moves_watermarks=moves)
        if self.unreachable is None and request.sees_everything and clock is None:
            gathered.errors.append(UNKNOWN)
        if clock is not None and clock.trouble is not None and request.until is None and request.only is None:
            gathered.errors.append(clock.trouble)
        return gathered


@dataclass(slots=True)
class Gathered:
    """What the archive listed in a run, per device, and what went wrong with listing.

    Attributes:
        since: Begin of the window that was asked for; None when each device has its own.
        until: Its end, or None.
        moves_watermarks: Whether all that the settings want was asked for, so that watermarks may pass what was
            left out, and the archive's time is known.
        listings: The devices that were listed.
        errors: The devices that could not be, those whose listing is doubtful, and what is wrong with the clocks.
    """

    since: datetime | None = None
    until: datetime | None = None
    moves_watermarks: bool = False
    listings: list[Listing] = field(default_factory=list)
    errors: list[DeviceError] = field(default_factory=list)


def begin_inquiry(run: Run, request: MirrorRequest, read: Callable[[], ArchiveClock | None]) -> Inquiry:
    """Fix where the windows of the run end, and find out whether the archive can be asked at all.

    Args:
        run: The run.
        request: What it is asked.
        read: `read_clock` with the caller's retries around it.

    Raises:
        SettingsError: The window of archive time that is asked for is too long.
    """
    clock, unreachable = None, None
    try:
        clock = read()
    except UnreachableError as error:
        unreachable = error
    latest = run.began_at if clock is None else clock.until
    until = end_of_windows(request.since, request.until, latest)
    return Inquiry(run, request, until, clock, unreachable)


def devices_of(mirror: Mirror, inquiry: Inquiry) -> tuple[Device, ...]:
    """The devices to list: those deployed at the time that is asked for, or those of the files that are named.

    Raises:
        SettingsError: The device table cannot be used, or a filter leaves nothing of it.
        TokenRejectedError: The archive does not accept the token.
        UnknownDeviceError: None was deployed.
    """
    request = inquiry.request
    if request.only is not None:
        table = {device.code: device for device in load_device_table(mirror.settings.devices_file)}
        codes = sorted({file.device_code for file in request.only})
        return tuple(table.get(code) or Device(code) for code in codes)
    known = load_device_table(mirror.settings.devices_file)
    devices = choose_devices(
        None if inquiry.unreachable else mirror.archive,
        known,
        codes=request.devices,
        locations=request.locations,
        categories=request.categories,
        now=inquiry.run.began_at,
        window=request.data,
        followed=() if request.devices else _followed(mirror, known, inquiry.run.began_at),
    )
    if not devices:
        raise UnknownDeviceError(
            f"The archive says that no device of the table {'is' if request.data is None else 'was then'} deployed."
            " Check ONC_MIRROR_ARCHIVE_URL and the rights of your token, or name devices."
        )
    return devices


def _followed(mirror: Mirror, devices: Iterable[Device], now: datetime) -> frozenset[str]:
    """The devices that runs have listed up to some time of the last days."""
    marks = {device.code: mirror.ledger.watermark(device.code) for device in devices}
    return frozenset(code for code, mark in marks.items() if mark is not None and mark > now - STILL_ARRIVING)


def list_devices(mirror: Mirror, inquiry: Inquiry, devices: Sequence[Device]) -> Gathered:
    """List all devices side by side."""
    if inquiry.unreachable is not None:
        return leave_unlisted(mirror, inquiry, devices, inquiry.unreachable)
    gathered = inquiry.nothing_yet()
    with side_by_side(mirror.settings.concurrency, "list") as pool:
        delays = mirror.settings.retry_delays_s
        waiting = []
        for device in devices:
            listing = partial(list_device, mirror, inquiry, device)
            waiting.append(pool.submit(with_retries, listing, delays, f"listing of {device.code}"))
    for device, future in zip(devices, waiting, strict=True):
        gather(gathered, device, future.result)
    return gathered


def gather(gathered: Gathered, device: Device, result: Callable[[], Listing]) -> None:
    """Take a device's finished listing, what is doubtful about it, or its failure, into `gathered`."""
    try:
        listing = result()
        gathered.listings.append(listing)
        if listing.doubt is not None:
            gathered.errors.append(DeviceError(device.code, SUSPICIOUS, listing.doubt))
    except Exception as error:  # noqa: BLE001 - also a fault of ours with one device must not cost the others
        gathered.errors.append(failure_of(device.code, error))


def leave_unlisted(mirror: Mirror, inquiry: Inquiry, devices: Sequence[Device], cause: UnreachableError) -> Gathered:
    """Ask for no device, since the archive cannot be reached: each is an error of the run, with the same cause."""
    codes = [device.code for device in devices]
    logger.error("devices=%s decision=failed reason=%s detail=%r", ",".join(codes), cause.reason, str(cause))
    gathered = inquiry.nothing_yet()
    gathered.errors += unreached(codes, cause)
    if inquiry.request.takes_up_held:
        for code in codes:
            begin_window(mirror, inquiry, code)
    return gathered


def list_device(mirror: Mirror, inquiry: Inquiry, device: Device) -> Listing:
    """List one device's window and enter every row in the ledger.

    Raises:
        MirrorError: The archive did not list, or the ledger did not take the rows.
    """
    run, only = inquiry.run, inquiry.request.only
    if only is not None:
        listing = list_exactly(mirror, device.code, only, run.began_at)
    else:
        if inquiry.request.takes_up_held:
            mirror.meter.asked(device.code, run.began_at)
        window = begin_window(mirror, inquiry, device.code)
        listing = examine(mirror, _list_window(mirror, device.code, window), window)
        if listing.doubt is None and inquiry.request.takes_up_held:
            listing = replace(listing, doubt=doubt_watermark(mirror.ledger.watermark(device.code), inquiry.until))
    mirror.ledger.record_listed(listing.files, run_id=run.run_id, now=run.began_at, device_code=device.code)
    logger.info("device=%s listed=%d duplicates=%d", device.code, len(listing.files), listing.duplicates)
    return listing


def _list_window(mirror: Mirror, device_code: str, window: TimeWindow) -> Listing:
    try:
        with mirror.meter.timing(Stage.LIST):
            return mirror.archive.list_files(device_code, archived=window)
    except UnknownDeviceError:
        # A slip of the pen must not stand in the ledger for ever.
        mirror.ledger.beginnings.forget(device_code)
        raise


def begin_window(mirror: Mirror, inquiry: Inquiry, device_code: str) -> TimeWindow:
    """The device's window; the first one ever is noted, so that a later one reaches back to here if this one fails.

    It is not noted by a clock that could not be held against the archive's, though that does answer.

    Raises:
        SettingsError: The window asked for has no length.
        LedgerUnavailableError: The ledger is out of reach.
    """
    watermark = watermark_by(mirror, inquiry.clock, device_code)
    overlap = mirror.settings.overlap
    window = device_window(watermark, overlap, inquiry.request.since, inquiry.until)
    trusted = inquiry.clock is not None or inquiry.unreachable is not None
    if watermark is None and inquiry.request.takes_up_held and trusted:
        mirror.ledger.beginnings.note(device_code, window.since + overlap)
    return window
