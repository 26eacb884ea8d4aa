"""Looking for what is wrong before it matters: archive, token, devices, bucket, ledger, disks, validation.

Each check gives a finding that says what was looked at, what was seen and, when it is bad, what to do. Checks do
not stop at the first bad finding, but for those that cannot mean anything after it. Nothing is written but a scratch
prefix in the bucket, emptied again, and the ledger, which is created or migrated.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.devices import STILL_ARRIVING, choose_devices, load_device_table
from onc_mirror.errors import MirrorError, SettingsError, TokenRejectedError
from onc_mirror.ledger import open_ledger
from onc_mirror.mirror import open_archive
from onc_mirror.model import Grade, TimeWindow
from onc_mirror.scratch import Scratch
from onc_mirror.store import open_store
from onc_mirror.store.checking import Finding, check_store
from onc_mirror.threads import side_by_side
from onc_mirror.utc import time_text
from onc_mirror.validation import Validator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from onc_mirror.archive import Archive
    from onc_mirror.model import Device
    from onc_mirror.settings import MirrorSettings

LARGEST_SKEW = timedelta(minutes=2)
LEAST_SCRATCH_BYTES = 2 * 2**30
LEAST_STATE_BYTES = 256 * 2**20
GLANCE = timedelta(days=1)
_THREADS = 8


def examine(settings: MirrorSettings, *, now: datetime) -> Iterator[Finding]:
    """Check everything a run needs, in the order in which a run would need it."""
    with open_archive(settings) as archive:
        yield from _check_archive(archive, settings, now)
    yield from _check_bucket(settings)
    yield from _check_ledger(settings)
    yield from _check_scratch(settings)


def _check_archive(archive: Archive, settings: MirrorSettings, now: datetime) -> Iterator[Finding]:
    try:
        skew = archive.measure_clock()
    except MirrorError as error:
        yield Finding("archive", ok=False, detail=str(error))
        return
    yield Finding("archive", ok=True, detail=f"{settings.archive_url} answers.")
    right = abs(skew) <= LARGEST_SKEW
    yield Finding(
        "clock",
        ok=right,
        detail=f"The archive's clock is {skew.total_seconds():+.1f} s from ours.",
        remedy="" if right else "Set this machine's clock, for example with chrony.",
    )
    try:
        table = load_device_table(settings.devices_file)
        asked = choose_devices(archive, table, now=now)
    except SettingsError as error:
        yield _bad("device table", error)
        return
    except TokenRejectedError as error:
        yield Finding("token", ok=False, detail=_about_all(error))
        return
    yield Finding("token", ok=True, detail="The archive accepts it.")
    yield Finding(
        "devices",
        ok=bool(asked),
        detail=f"{len(asked)} of the {len(table)} in the table are in the water, or were in the last"
        f" {STILL_ARRIVING.days} days.",
        remedy="" if asked else "A run would ask none. Check ONC_MIRROR_DEVICES_FILE and the rights of your token.",
    )
    with side_by_side(_THREADS, "list") as pool:
        yield from pool.map(lambda device: _check_device(archive, device, now), asked)


def _check_device(archive: Archive, device: Device, now: datetime) -> Finding:
    name = f"device {device.code}"
    try:
        files = archive.list_files(device.code, archived=TimeWindow(now - GLANCE, now)).files
    except MirrorError as error:
        return Finding(name, ok=False, detail=_about_all(error))
    newest = max((file.archived_at for file in files if file.archived_at is not None), default=None)
    last = f", the last at {time_text(newest, 'seconds')}" if newest else ""
    return Finding(name, ok=True, detail=f"{len(files)} files archived in the last 24 hours{last}.")


def _bad(name: str, error: MirrorError) -> Finding:
    return Finding(name, ok=False, detail=str(error), wrong_setting=isinstance(error, SettingsError))


def _about_all(error: MirrorError) -> str:
    # Errors begin with what they are about; here the finding's name says it.
    return str(error).removeprefix(f"{error.subject}: ")


def _check_bucket(settings: MirrorSettings) -> Iterator[Finding]:
    try:
        with open_store(settings) as store:
            yield from check_store(store)
    except MirrorError as error:
        yield _bad("bucket", error)


def _check_ledger(settings: MirrorSettings) -> Iterator[Finding]:
    try:
        with open_ledger(settings.ledger, variable=settings.ledger_variable) as ledger:
            ledger.try_writing()
            runs = ledger.runs(1)
    except MirrorError as error:
        yield _bad("ledger", error)
        return
    last = f"the last run began at {time_text(runs[0].started_at, 'seconds')}" if runs else "nothing has run yet"
    yield Finding("ledger", ok=True, detail=f"It can be written and has the schema of this version; {last}.")
    if settings.ledger_url is None:
        yield _check_room("ledger disk", settings.state_dir, LEAST_STATE_BYTES, "ONC_MIRROR_STATE_DIR")


def _check_scratch(settings: MirrorSettings) -> Iterator[Finding]:
    try:
        with (
            Scratch(settings.scratch, settings.scratch_budget, variable=settings.scratch_variable) as scratch,
            scratch.slot(0) as folder,
            Validator(settings.validation_timeout_s, settings.validation_memory, processes=1) as validator,
        ):
            yield _check_room("scratch disk", settings.scratch, LEAST_SCRATCH_BYTES, settings.scratch_variable)
            yield _check_validation(validator, folder)
    except SettingsError as error:
        yield _bad("scratch", error)
    except MirrorError as error:
        yield Finding("scratch", ok=False, detail=str(error), remedy=f"Check {settings.scratch_variable}.")
    except OSError as error:
        detail = f"{settings.scratch} cannot be used ({error.strerror})."
        yield Finding("scratch", ok=False, detail=detail, remedy=f"Check {settings.scratch_variable}.")


def _check_validation(validator: Validator, folder: Path) -> Finding:
    path = folder / "trial.hdf5"
    path.write_bytes(b"This is no HDF5 file.")
    try:
        verdict = validator.validate(path, path.name, Grade.OPEN)
    except MirrorError as error:
        return Finding("validation", ok=False, detail=str(error))
    if verdict.passed:
        return Finding("validation", ok=False, detail="What is no HDF5 file passed as one.", remedy="Reinstall h5py.")
    return Finding("validation", ok=True, detail="A validation process starts, and tells what is no HDF5 file.")


def _check_room(name: str, folder: Path, least_bytes: int, variable: str) -> Finding:
    free = shutil.disk_usage(folder).free
    enough = free >= least_bytes
    return Finding(
        name,
        ok=enough,
        detail=f"{free / 1e9:.1f} GB are free in {folder}.",
        remedy="" if enough else f"Make room for {least_bytes / 1e9:.1f} GB, or set {variable} to a larger disk.",
    )
