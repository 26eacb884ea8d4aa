"""The guard between finding and doing: so many changes at once are for a person to look at first. Pure.

A store URL that was changed, a bucket that was emptied, a listing or a ledger that was lost: each looks like very
many differences, and repairing them would only hide what happened. So when more than a quarter of what should be
there would change (the share at which pudl-archiver refuses a file whose size moved), and more files than a bad day
brings, nothing is done, the run fails, and says how to go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.reporting import DeviceError
from onc_mirror.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onc_mirror.reconciliation import DeviceComparison

UNLIKELY = "unlikely-change"

MOST_CHANGED = 20
"""Files, of a device or of the run, that may change whatever their share: a small mirror has few."""

LARGEST_SHARE = 0.25
"""Of the files that should be mirrored: a larger share is no accident of single files."""

_WHOLE_RUN = ""


def is_unlikely(changing: int, expected: int) -> bool:
    """Say whether so many changes are for a person to look at first.

    >>> is_unlikely(20, 20), is_unlikely(21, 84), is_unlikely(22, 84)
    (False, False, True)
    """
    return changing > MOST_CHANGED and changing > LARGEST_SHARE * expected


def stopped(devices: Iterable[DeviceComparison]) -> tuple[DeviceError, ...]:
    """Return what the guard does not let pass: the whole run, or single devices."""
    compared = tuple(devices)
    changing, expected = sum(one.changing for one in compared), sum(one.expected for one in compared)
    if is_unlikely(changing, expected):
        return (DeviceError(_WHOLE_RUN, UNLIKELY, _explain(compared, "this mirror")),)
    return tuple(
        DeviceError(one.device, UNLIKELY, _explain((one,), one.device))
        for one in compared
        if is_unlikely(one.changing, one.expected)
    )


def passes(device_code: str, errors: Iterable[DeviceError]) -> bool:
    """Say whether `stopped` lets a device pass."""
    return not any(error.reason == UNLIKELY and error.device in {_WHOLE_RUN, device_code} for error in errors)


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
