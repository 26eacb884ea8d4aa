"""The device table, and which of its devices a run is about.

The table (TOML) says which devices there are; the archive's `/deployments` says which of them are in the water, and
overrules the table's own flag, which counts only while the archive does not say. An archive that names no deployment
at all of a device does not say: restricted data, and a search index that is being built, look like that. A device
asked for by its code is taken as asked, in the table or not, deployed or not.
"""

from __future__ import annotations

import logging
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onc_mirror.errors import MirrorError, SettingsError, TokenRejectedError, UnsafeNameError
from onc_mirror.layout import check_name
from onc_mirror.model import Device, TimeWindow
from onc_mirror.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from onc_mirror.archive import Archive

logger = logging.getLogger(__name__)

SHIPPED_TABLE = Path(__file__).with_name("devices.toml")

# Files reach the archive hours to days after their data: a device taken out of the water has some coming.
STILL_ARRIVING = timedelta(days=7)

_KEYS = {"code": str, "location": str, "category": str, "deployed": bool}
_THREADS = 4
_INSTANT = timedelta(milliseconds=1)


def load_device_table(path: Path | None = None) -> tuple[Device, ...]:
    """Read a device table, the one that ships when `path` is None.

    Raises:
        SettingsError: The file cannot be read, or an entry is wrong; the message names the file and the entry.
    """
    file = path or SHIPPED_TABLE
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise _bad_table(file, f"cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _bad_table(file, f"is not TOML: {error}") from None
    entries = table.pop("device", None)
    if table or not isinstance(entries, list) or not entries:
        raise _bad_table(file, "must consist of [[device]] entries and nothing else")
    devices = tuple(_read_entry(file, number, entry) for number, entry in enumerate(entries, start=1))
    codes = [device.code for device in devices]
    if twice := sorted({code for code in codes if codes.count(code) > 1}):
        raise _bad_table(file, f"has {', '.join(twice)} more than once")
    return devices


def choose_devices(  # noqa: PLR0913 - three filters on a table
    archive: Archive | None,
    table: Iterable[Device],
    *,
    codes: Collection[str] = (),
    locations: Collection[str] = (),
    categories: Collection[str] = (),
    now: datetime,
    window: TimeWindow | None = None,
    followed: Collection[str] = (),
) -> tuple[Device, ...]:
    """Pick the devices of a run.

    Args:
        archive: Asked which devices are in the water, unless `codes` say it all; None when it cannot be: then
            the table's flag decides.
        table: The device table.
        codes: Device codes; taken as they are, whether in the table or deployed or not. Empty: the deployed ones.
        locations: Location codes to keep; empty keeps all.
        categories: Device category codes to keep; empty keeps all.
        now: The run's moment, UTC.
        window: Of the data that the run is about; None: those that still arrive.
        followed: Codes that are listed all the same while the archive does not say, since they were lately.

    Returns:
        Each device once, in the order of `codes` or else of the table.

    Raises:
        SettingsError: A filter leaves nothing of the table, or a code outside the table meets a filter.
        TokenRejectedError: The archive does not accept the token.
    """
    known = {device.code: device for device in table}
    strangers = [code for code in codes if code not in known]
    if strangers and (locations or categories):
        raise SettingsError(
            f"The device table does not know {', '.join(strangers)}, so a filter by location or category cannot"
            " apply. Leave the filter out, or add the device to the table of ONC_MIRROR_DEVICES_FILE."
        )
    if codes:
        return _filtered([known.get(code) or Device(code) for code in dict.fromkeys(codes)], locations, categories)
    wanted = _filtered(list(known.values()), locations, categories)
    if archive is None:
        logger.warning("deployed=by-table detail=%r", "The archive cannot be asked which devices are in the water.")
        return tuple(device for device in wanted if device.deployed)
    return deployed_devices(archive, wanted, window or TimeWindow(now - STILL_ARRIVING, now), followed)


def deployed_devices(
    archive: Archive, table: Iterable[Device], window: TimeWindow, followed: Collection[str] = ()
) -> tuple[Device, ...]:
    """Ask the archive which devices of `table` were in the water at any time of `window`.

    Where the archive gives no answer, or knows no deployment, `followed` and the table's flag stand in; a warning
    says so, unless both know of no deployment.

    Raises:
        TokenRejectedError: The archive does not accept the token; no table stands in for that.
    """
    devices = tuple(table)
    with side_by_side(_THREADS, "deployments") as pool:
        answers = list(pool.map(lambda device: _is_deployed(archive, device, window), devices))
    return tuple(
        device
        for device, answer in zip(devices, answers, strict=True)
        if (device.deployed or device.code in followed if answer is None else answer)
    )


def has_left_water(archive: Archive, device_code: str, at: datetime) -> bool:
    """Whether the archive says that a device was out of the water by then; not when it does not say.

    Args:
        archive: The archive.
        device_code: The device.
        at: The moment, UTC.
    """
    try:
        stays = archive.deployments(device_code)
    except MirrorError:
        return False
    last = TimeWindow(at - _INSTANT, at)
    return bool(stays) and not any(stay.overlaps(last) for stay in stays)


def _is_deployed(archive: Archive, device: Device, window: TimeWindow) -> bool | None:
    try:
        deployments = archive.deployments(device.code)
    except TokenRejectedError:
        raise
    except MirrorError as error:
        logger.warning("device=%s deployed=%s by=table detail=%r", device.code, device.deployed, str(error))
        return None
    if not deployments:
        level = logging.WARNING if device.deployed else logging.INFO  # they agree that it is not in the water
        detail = "The archive names no deployment of it."
        logger.log(level, "device=%s deployed=%s by=table detail=%r", device.code, device.deployed, detail)
        return None
    return any(deployment.overlaps(window) for deployment in deployments)


def _filtered(devices: list[Device], locations: Collection[str], categories: Collection[str]) -> tuple[Device, ...]:
    kept = tuple(
        device
        for device in devices
        if (not locations or device.location in locations) and (not categories or device.category in categories)
    )
    if not kept:
        raise SettingsError(
            f"None of these devices is {_at_and_of(locations, categories)}. They are at"
            f" {_names(device.location for device in devices)},"
            f" of {_names(device.category for device in devices)}; ONC_MIRROR_DEVICES_FILE names the table."
        )
    return kept


def _at_and_of(locations: Collection[str], categories: Collection[str]) -> str:
    at, of = f"at {_names(locations)}", f"of category {_names(categories)}"
    return f"{at} and {of}" if locations and categories else at if locations else of


def _names(values: Iterable[str | None]) -> str:
    return ", ".join(sorted({value for value in values if value}))


def _read_entry(file: Path, number: int, entry: Any) -> Device:
    if not isinstance(entry, dict):
        raise _bad_table(file, f"has no table as entry {number}")
    name = f"entry {number} ({entry.get('code', 'without a code')})"
    for key, value in entry.items():
        if key not in _KEYS:
            raise _bad_table(file, f"has the unknown key {key!r} in {name}; known are {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]):
            raise _bad_table(file, f"has a {key} in {name} that is no {_KEYS[key].__name__}")
    try:
        check_name(entry.get("code", ""))
    except UnsafeNameError:
        raise _bad_table(file, f"has no usable device code in {name}") from None
    return Device(**entry)


def _bad_table(file: Path, what: str) -> SettingsError:
    return SettingsError(f"ONC_MIRROR_DEVICES_FILE: {file} {what}.")
