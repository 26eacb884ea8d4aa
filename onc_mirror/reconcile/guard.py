"""What the guard says of a comparison: pass, or look first. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.guard import UNLIKELY, is_unlikely
from onc_mirror.reconcile.standing import Standing
from onc_mirror.report.document import NO_DEVICE, DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onc_mirror.reconcile.findings import DeviceComparison


def stopped(devices: Iterable[DeviceComparison]) -> tuple[DeviceError, ...]:
    """Return what the guard does not let pass: the whole run, or single devices."""
    compared = tuple(devices)
    changing, expected = sum(one.changing for one in compared), sum(one.expected for one in compared)
    if is_unlikely(changing, expected):
        return (DeviceError(NO_DEVICE, UNLIKELY, _explain(compared, "this mirror")),)
    return tuple(
        DeviceError(one.device, UNLIKELY, _explain((one,), one.device))
        for one in compared
        if is_unlikely(one.changing, one.expected)
    )


def passes(device_code: str, errors: Iterable[DeviceError]) -> bool:
    """Say whether `stopped` lets a device pass."""
    return not any(error.reason == UNLIKELY and error.device in {NO_DEVICE, device_code} for error in errors)


def _explain(devices: tuple[DeviceComparison, ...], whose: str) -> str:
    expected, changing = sum(one.expected for one in devices), sum(one.changing for one in devices)
    kinds = ", ".join(
        f"{number} {standing}"
        for standing in Standing
        if standing.is_difference
        if (number := sum(one.files for device in devices for one in device.counts if one.standing is standing))
    )
    return (
        f"{changing} of the {expected} files that {whose} should have would change ({kinds}). That is too many to be"
        " single accidents, so nothing was changed. Look whether ONC_MIRROR_STORE_URL, ONC_MIRROR_LEDGER_URL and the"
        " rights of the token are as they were. If all is as it should be, repair with onc-mirror reconcile --force;"
        " files of a time before this mirror began are fetched with onc-mirror backfill."
    )
