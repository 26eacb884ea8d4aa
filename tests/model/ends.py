"""Promise 4: with nobody's help everything that the archive has, and that is wanted, is at last where it belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.errors import UnsafeNameError
from onc_mirror.layout import mirrored_key
from onc_mirror.model import State
from onc_mirror.provenance import RELEASED
from tests.model.world import DEVICES
from tests.support.marked_files import judge

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from onc_mirror.model import ArchiveFile
    from tests.model.seen import Entry
    from tests.model.world import World
    from tests.support.memory_archive import Shelved

    Entries = Mapping[tuple[str, str], Entry]


def check_converged(world: World, *, without: Collection[str] = ()) -> None:
    """Check that when everything has been well for long enough; `without` are names that hours alone cannot mend."""
    entries = world.entries()
    for name in world.names():
        if isinstance(name, str) and name and name not in without:
            _check_end(world, world.archive.shelved(name), entries)


def _check_end(world: World, shelved: Shelved, entries: Entries) -> None:
    file = shelved.file
    begin = world.begins.get(shelved.device_code)
    if begin is None or (file.archived_at is not None and file.archived_at < begin):
        return  # older than the mirror: the backfill's
    entry = entries.get((file.device_code, file.filename))
    assert entry is not None, f"{file.filename!r} is not in the ledger"
    assert entry.state in _ends(world, shelved, entry), f"{file.filename!r} ended as {entry}"
    if entry.state == State.MIRRORED and _is_wanted(world, file) and not _was_released(world, entry):
        if world.is_spoilt(entry.key):
            return
        assert world.bucket.objects[str(entry.key)].body == shelved.body, f"{file.filename} is not what it is now"


def _ends(world: World, shelved: Shelved, entry: Entry) -> set[State]:
    """The states in which a file may be when all is well."""
    file = shelved.file
    if file.device_code not in DEVICES:
        return {State.QUARANTINED}
    if file.device_code != shelved.device_code:  # its own device does not list it, or no more
        return {State.QUARANTINED, State.MIRRORED, State.FILTERED}
    try:
        mirrored_key(file)
    except UnsafeNameError:
        return {State.QUARANTINED}
    if not _is_wanted(world, file):
        return {State.FILTERED, State.MIRRORED, State.QUARANTINED}  # what was already decided about it stays
    if file.filename in world.flipped or (file.extension == "hdf5" and not judge(shelved.body).passed):
        may_be_mirrored = judge(shelved.body).passed or _was_released(world, entry)
        return {State.QUARANTINED, State.MIRRORED} if may_be_mirrored else {State.QUARANTINED}
    return {State.MIRRORED}


def _is_wanted(world: World, file: ArchiveFile) -> bool:
    return file.extension in world.settings.extensions


def _was_released(world: World, entry: Entry) -> bool:
    held = world.bucket.objects.get(str(entry.key))
    return held is not None and RELEASED in held.described.metadata
