"""Looking for what is wrong before it matters: token, devices, bucket, clock, disk and ledger.

Each check gives a finding that says what was looked at, what was seen and, when it is bad, what to do. Checks do
not stop at the first bad finding. Nothing is written but a scratch prefix in the bucket, emptied again, and
the ledger, which is created or migrated.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.devices import load_device_table
from onc_mirror.errors import MirrorError, TokenRejectedError
from onc_mirror.ledger import open_ledger
from onc_mirror.mirror import open_archive
from onc_mirror.model import TimeWindow
from onc_mirror.store import open_store
from onc_mirror.store.checking import Finding, check_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from onc_mirror.archive import OncArchive
    from onc_mirror.settings import MirrorSettings

LARGEST_SKEW = timedelta(minutes=2)
LEAST_FREE_BYTES = 2 * 2**30
_GLANCE = timedelta(hours=1)


def examine(settings: MirrorSettings, *, now: datetime) -> Iterator[Finding]:
    """Check everything a run needs, in the order in which a run would need it."""
    with open_archive(settings) as archive:
        yield from _check_archive(archive, settings, now)
    yield from _check_bucket(settings)
    yield _check_ledger(settings)
    yield _check_disk(settings.scratch)


def _check_archive(archive: OncArchive, settings: MirrorSettings, now: datetime) -> Iterator[Finding]:
    try:
        skew = archive.measure_clock()
    except MirrorError as error:
        yield Finding("archive", ok=False, detail=str(error), remedy="Check ONC_MIRROR_ARCHIVE_URL and the network.")
        return
    yield Finding(
        "clock",
        ok=abs(skew) <= LARGEST_SKEW,
        detail=f"The archive's clock is {skew.total_seconds():+.1f} s from ours.",
        remedy="" if abs(skew) <= LARGEST_SKEW else "Set this machine's clock, for example with chrony.",
    )
    for device in load_device_table(settings.devices_file):
        if not device.deployed:
            continue
        try:
            listing = archive.list_files(device.code, archived=TimeWindow(now - _GLANCE, now))
        except TokenRejectedError as error:
            yield Finding(
                "token", ok=False, detail=str(error), remedy="Set ONC_TOKEN to the one of your ONC profile."
            )
            return
        except MirrorError as error:
            yield Finding(
                f"device {device.code}",
                ok=False,
                detail=str(error),
                remedy="Check its code in the device table, and whether your token may see it.",
            )
        else:
            yield Finding(
                f"device {device.code}", ok=True, detail=f"{len(listing.files)} files archived in the last hour."
            )


def _check_bucket(settings: MirrorSettings) -> Iterator[Finding]:
    try:
        with open_store(settings) as store:
            yield from check_store(store)
    except MirrorError as error:
        yield Finding("bucket", ok=False, detail=str(error), remedy="Check ONC_MIRROR_STORE_URL and AWS_*.")


def _check_ledger(settings: MirrorSettings) -> Finding:
    try:
        with open_ledger(settings.ledger):
            return Finding("ledger", ok=True, detail="It opens and has the schema of this version.")
    except MirrorError as error:
        return Finding("ledger", ok=False, detail=str(error), remedy="Check ONC_MIRROR_LEDGER_URL and its rights.")


def _check_disk(scratch: Path) -> Finding:
    folder = next(path for path in (scratch, *scratch.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    enough = free >= LEAST_FREE_BYTES
    return Finding(
        "disk",
        ok=enough,
        detail=f"{free / 1e9:.1f} GB free for downloads in progress.",
        remedy="" if enough else "Make room, or set ONC_MIRROR_SCRATCH_DIR to a larger disk.",
    )
