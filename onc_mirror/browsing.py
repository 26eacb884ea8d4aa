"""What the archive has, without downloading: the Python side of `onc-mirror list`, `devices` and `products`.

With ONC_TOKEN set, two lines give a DataFrame with typed columns:

    from onc_mirror.browsing import list_archive
    frame = list_archive("TUMLIDAR001", since="PT6H")

`onc_mirror.frames` says which columns. Nothing here writes anything anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from onc_mirror.devices import STILL_ARRIVING, choose_devices, load_device_table
from onc_mirror.errors import SettingsError, UnknownDeviceError
from onc_mirror.frames import listing_frame
from onc_mirror.mirror import open_archive
from onc_mirror.model import Device, TimeWindow
from onc_mirror.selection import Selection, excluding_rules
from onc_mirror.settings import ArchiveSettings, load_settings
from onc_mirror.threads import side_by_side
from onc_mirror.windows import resolve_window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from onc_mirror.archive import Archive, Product

DEFAULT_SPAN = timedelta(days=1)
_THREADS = 8


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """A device, and whether it is in the water.

    Attributes:
        device: As the table has it, completed with what the archive says.
        in_table: Whether the table has it.
        name: Its name at ONC, None when the archive has none.
        deployed: Whether the archive says that it is in the water now.
        since: Since when it is there, UTC; None when it is not, or the archive does not say.
        asked_until: When it is no longer there: until when runs ask it all the same, since files reach the archive
            hours to days after their data, UTC; None when it is there, or that time is over.
    """

    device: Device
    in_table: bool
    name: str | None
    deployed: bool
    since: datetime | None
    asked_until: datetime | None


def list_archive(
    *device_codes: str,
    since: str | datetime | None = None,
    until: str | datetime | None = None,
    by_data_time: bool = False,
    selection: Selection | None = None,
) -> pd.DataFrame:
    """List what the archive has, with the settings of the environment.

    Args:
        device_codes: The devices; none means all that are deployed, as runs take it.
        since: Begin of the window, inclusive: a time, or a text as for `onc-mirror list`; None: a day before its end.
        until: End of the window, exclusive; now when None.
        by_data_time: The window is one of data time, not of archive time.
        selection: Which of the listed files to keep; all when None.

    Returns:
        As `list_archive_files`.

    Raises:
        MirrorError: A setting is wrong, or the archive does not answer.
    """
    now = datetime.now(UTC)
    begin, end = resolve_window(_as_text(since), _as_text(until), now=now)
    settings = load_settings(ArchiveSettings)
    with open_archive(settings) as archive:
        devices = choose_devices(archive, load_device_table(settings.devices_file), codes=device_codes, now=now)
        return list_archive_files(
            archive,
            [device.code for device in devices],
            window=browsing_window(begin, end, now=now),
            by_data_time=by_data_time,
            selection=selection,
        )


def browsing_window(since: datetime | None, until: datetime | None, *, now: datetime) -> TimeWindow:
    """The window of a listing: up to now and a day long, unless said otherwise."""
    end = until or now
    return TimeWindow(since or end - DEFAULT_SPAN, end)


def list_archive_files(
    archive: Archive,
    device_codes: Sequence[str],
    *,
    window: TimeWindow,
    by_data_time: bool = False,
    selection: Selection | None = None,
) -> pd.DataFrame:
    """List what the archive has for devices.

    Args:
        archive: Where to ask.
        device_codes: The devices to ask for, in the order of the answer.
        window: Only what was archived in this window.
        by_data_time: Instead what has data in the window, whenever it was archived.
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
    span = {"data" if by_data_time else "archived": window}
    with side_by_side(_THREADS, "list") as pool:
        listings = pool.map(lambda code: archive.list_files(code, extension=extension, **span), device_codes)
        frame = listing_frame([file for listing in listings for file in listing.files])
    return frame[excluding_rules(frame, selection).isna()].reset_index(drop=True)


def device_statuses(
    archive: Archive, table: Iterable[Device], codes: Sequence[str] = (), *, now: datetime
) -> tuple[DeviceStatus, ...]:
    """Look up devices at the archive.

    Args:
        archive: Where to ask.
        table: The device table.
        codes: The devices, in the table or not; empty means all of the table.
        now: Which moment counts, UTC.

    Returns:
        One per device, in the order of `codes` or else of the table.

    Raises:
        UnknownDeviceError: Neither the table nor the archive knows one of them.
        MirrorError: The archive does not answer.
    """
    known = {device.code: device for device in table}
    wanted = tuple(dict.fromkeys(codes)) or tuple(known)
    with side_by_side(_THREADS, "devices") as pool:
        return tuple(pool.map(lambda code: _status(archive, code, known.get(code), now), wanted))


def offered_products(archive: Archive, device_codes: Sequence[str]) -> tuple[tuple[str, Product], ...]:
    """The data products that devices offer, each with the device's code, in the order of the codes.

    Raises:
        UnknownDeviceError: The archive does not know one of the devices.
        MirrorError: The archive does not answer.
    """
    with side_by_side(_THREADS, "products") as pool:
        offers = pool.map(lambda code: _products(archive, code), device_codes)
        return tuple((code, product) for code, offer in zip(device_codes, offers, strict=True) for product in offer)


def product_codes(archive: Archive, device_codes: Sequence[str], names: Iterable[str]) -> frozenset[str]:
    """The codes of the data products of these devices whose names have one of `names` in them, in any case.

    Raises:
        SettingsError: There is none.
        MirrorError: The archive does not answer.
    """
    parts = [name.lower() for name in names]
    offered = offered_products(archive, device_codes)
    found = frozenset(product.code for _, product in offered if any(part in product.name.lower() for part in parts))
    if not found:
        raise SettingsError(
            f"No data product of these devices has {' or '.join(map(repr, parts))} in its name."
            " 'onc-mirror products' shows the names."
        )
    return found


def _status(archive: Archive, code: str, entry: Device | None, now: datetime) -> DeviceStatus:
    answers = archive.devices(code=code)
    known = archive.deployments(code)
    stays = [stay for stay in known if stay.ends_at is None or stay.ends_at > now]
    ends = [stay.ends_at + STILL_ARRIVING for stay in known if stay.ends_at is not None]
    if entry is None and not answers and not stays:
        raise _unknown(code)
    locations = [entry.location if entry else None, *(stay.location for stay in stays)]
    categories = [stay.category for stay in stays] + [answer.category for answer in answers]
    return DeviceStatus(
        Device(
            code,
            _first(locations),
            _first([entry.category if entry else None, *categories]),
            deployed=entry.deployed if entry else bool(stays),
        ),
        in_table=entry is not None,
        name=_first([one.name for one in answers]),
        deployed=bool(stays),
        since=max((stay.begins_at for stay in stays if stay.begins_at is not None), default=None),
        asked_until=None if stays else max((end for end in ends if end > now), default=None),
    )


def _first(texts: Iterable[str | None]) -> str | None:
    return next((text for text in texts if text), None)


def _products(archive: Archive, code: str) -> tuple[Product, ...]:
    offer = archive.products(code)
    if not offer and not archive.devices(code=code):
        raise _unknown(code)
    return offer


def _unknown(code: str) -> UnknownDeviceError:
    return UnknownDeviceError(
        "The archive does not know this device. Compare the code, including its case, with the device's page at ONC.",
        subject=code,
    )


def _as_text(time: str | datetime | None) -> str | None:
    return time.isoformat() if isinstance(time, datetime) else time
