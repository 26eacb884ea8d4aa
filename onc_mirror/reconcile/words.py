"""What people are told of a reconcile, wherever they read it: one sentence or two, and rows for tables. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onc_mirror.reconcile.findings import MOST_NAMED
from onc_mirror.reconcile.standing import Standing
from onc_mirror.redacting import redact
from onc_mirror.utc import time_text
from onc_mirror.wording import counted, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onc_mirror.reconcile.findings import Reconciliation

Row = dict[str, Any]

_REPAIRED = "mirrored"


def closing_sentence(found: Reconciliation) -> str:
    """The sentences that a reconcile ends in: what was compared, what differs, what was done, what is left."""
    told = [_compared(found), *_done(found)]
    unknown = sum(one.files for one in found.counts() if one.standing is Standing.UNKNOWN_OBJECT)
    if unknown:
        told.append(f"{counted(unknown, 'object')} in the bucket that nobody knows; find out where they came from.")
    if found.disagreements:
        told.append(f"The archive lists other files than it counts in {counted(len(found.disagreements), 'place')}.")
    if any(one.silent_witness for one in found.devices):
        told.append("The archive does not say how many files it has, so its listing had no second witness.")
    older = sum(one.files for one in found.counts() if one.standing is Standing.BEFORE_MIRROR)
    if older:
        told.append(
            f"{counted(older, 'file')} of the time before this mirror began: onc-mirror backfill fetches them."
        )
    return " ".join([*told, *(redact(error.detail) for error in found.errors)])


def count_rows(found: Reconciliation) -> list[Row]:
    """One row per device, sign and standing."""
    return [
        {
            "device": device.device,
            "sign": one.sign,
            "standing": str(one.standing),
            "files": one.files,
            "bytes": one.bytes,
            "difference": one.standing.is_difference,
        }
        for device in found.devices
        for one in device.counts
    ]


def difference_rows(found: Reconciliation, most: int = MOST_NAMED) -> list[Row]:
    """One row per difference, and one that counts those beyond `most`."""
    rows = [
        {
            "sign": one.sign,
            "device": one.device,
            "file": one.filename,
            "standing": str(one.standing),
            "outcome": one.outcome or "",
            "what happened": one.detail,
        }
        for one in found.differences[:most]
    ]
    rest = len(found.differences) - len(rows) + sum(device.unnamed for device in found.devices)
    if rest:
        more = f"and {counted(rest, 'difference')} more"
        rows.append(dict.fromkeys(rows[0], "") | {"file": more})
    return rows


def witness_rows(found: Reconciliation) -> list[Row]:
    """One row per span of data of which the archive lists other than it counts."""
    return [
        {
            "device": device,
            "product": one.product_code,
            "extension": one.extension,
            "since": time_text(one.since),
            "until": time_text(one.until),
            "listed": one.listed.files,
            "counted": one.counted.files,
            "listed bytes": one.listed.stored_bytes,
            "counted bytes": one.counted.stored_bytes,
        }
        for device, one in found.disagreements
    ]


def _compared(found: Reconciliation) -> str:
    counts = found.counts()
    files = counted(sum(one.files for one in counts), "file")
    asked = counted(len(found.devices), "device")
    span = f"{time_text(found.window.since, 'seconds')} to {time_text(found.window.until, 'seconds')}"
    sums: dict[Standing, int] = {}
    for one in counts:
        sums[one.standing] = sums.get(one.standing, 0) + one.files
    told = ", ".join(f"{number} {standing}" for standing, number in sums.items())
    return f"{files} of {asked} compared, data of {span}{told and f': {told}'}."


def _done(found: Reconciliation) -> Iterator[str]:
    if found.report is None:
        return
    mirrored = sum(one.outcome == _REPAIRED for one in found.differences)
    if mirrored:
        yield f"{counted(mirrored, 'difference')} repaired."
    if found.report.mirrored:
        yield f"{counted(found.report.mirrored, 'file')} fetched, {size_text(found.report.bytes)}."
