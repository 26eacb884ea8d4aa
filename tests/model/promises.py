"""The promises of the mirror (design, section 1) as checks of the world after a run; the numbers are theirs.

`check_whatever_happened` holds after every run, also one that was killed; `check_ended` after one with a report;
`check_quiet` of a run right after one that left nothing to do; `check_converged` when everything has been well for
long enough.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from onc_mirror.errors import UnsafeNameError
from onc_mirror.layout import mirrored_key
from onc_mirror.model import WRONG_DEVICE, Decision, State
from tests.model.world import DEVICES
from tests.support.marked_files import judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onc_mirror.model import ArchiveFile
    from onc_mirror.report.document import RunReport
    from tests.model.world import Entry, RunSeen, World
    from tests.support.memory_archive import Shelved

    Entries = Mapping[tuple[str, str], Entry]

# What the ledger says of a file after a run has said this of it.
_STATES = {
    Decision.MIRRORED: {State.MIRRORED},
    Decision.HELD: {State.HELD},
    Decision.FAILED: {State.HELD},
    Decision.QUARANTINED: {State.QUARANTINED},
    Decision.GONE: {State.GONE},
}
_CLAIMED = "claimed-elsewhere"


def check_whatever_happened(world: World, run: RunSeen) -> None:
    _published_means_proven(world)
    _nothing_is_lost(world)
    _watermark_passed_nothing(world, run)


def check_ended(world: World, run: RunSeen, report: RunReport) -> None:
    entries = world.entries()
    _numbers_add_up(report)
    _every_row_has_an_end(run, report, entries)
    _report_and_ledger_agree(report, entries)
    _mirrored_is_there_once(world, entries)
    _scratch_is_empty(world)


def check_quiet(world: World, run: RunSeen) -> None:
    """Promise 5: a second run right after does nothing."""
    assert run.report is not None, run.refusal
    assert not [asked.subject for asked in run.asked if asked.endpoint == "download"]
    changed = {key for key, sha256 in world.objects().items() if run.objects.get(key) != sha256}
    if run.report.is_noteworthy:
        changed = {key for key in changed if not key.startswith("reports/")}
    assert not changed
    assert run.objects.keys() <= world.objects().keys()
    assert world.entries() == run.entries


def check_converged(world: World) -> None:
    """Promise 4: with nobody's help everything that the archive has, and that is wanted, is where it belongs."""
    entries = world.entries()
    latest = {shelved.row.get("filename"): shelved for shelved in world.archive.everything()}
    for name in latest:
        if isinstance(name, str) and name:
            _check_end(world, world.archive.shelved(name), entries)


def _published_means_proven(world: World) -> None:
    """Promise 1."""
    for key, held in world.bucket.below("raw/").items():
        name = key.rpartition("/")[2]
        assert held.body in world.versions[name], f"{key} holds what the archive never had"
        assert not name.endswith(".hdf5") or judge(held.body).passed, f"{key} holds what is not proven"


def _nothing_is_lost(world: World) -> None:
    """Promise 4, and section 4: what was once under `raw/` stays there, or under `superseded/`."""
    kept = {*world.objects("raw/").values(), *world.objects("superseded/").values()}
    assert world.published <= kept


def _watermark_passed_nothing(world: World, run: RunSeen) -> None:
    """Promise 3, step by step: what the watermark moved over was listed, and is in the ledger."""
    known = world.entries().keys()
    for code, after in world.watermarks().items():
        before = run.watermarks.get(code)
        if before == after:
            continue
        assert before is None or before < after, f"the watermark of {code} went back"
        if before is None and not _listed_windows(run, code):
            continue  # the first listing failed: its begin is noted, and a later one reaches back to it
        since = world.begins[code] if before is None else before - world.settings.overlap
        for shelved in run.visible:
            file = shelved.file
            if shelved.device_code == code and file.archived_at is not None and since <= file.archived_at < after:
                assert (file.device_code, file.filename) in known, f"{file.filename} was passed"


def _numbers_add_up(report: RunReport) -> None:
    """Promise 2: what was listed is exactly one of these."""
    counts = (report.mirrored, report.already, report.held, report.quarantined, report.gone, report.failed)
    assert report.listed == sum(counts) + sum(report.filtered.values())
    assert report.listed == sum(device.listed for device in report.by_device)
    named = Counter(file.decision for file in report.files)
    assert [named[decision] for decision in (Decision.MIRRORED, Decision.HELD, Decision.FAILED)] == [
        report.mirrored,
        report.held,
        report.failed,
    ]


def _every_row_has_an_end(run: RunSeen, report: RunReport, entries: Entries) -> None:
    """Promise 2: no row that was listed is forgotten, in the ledger or in the report."""
    listed = {
        (file.device_code, file.filename)
        for asked in run.asked
        if asked.archived is not None and asked.listing is not None
        for file in asked.listing.files
    }
    broken = {error.device for error in report.errors}
    counted = {key for key in listed if key[0] not in broken}
    assert listed <= entries.keys()
    assert report.listed >= len(counted)
    claimed = {(file.device, file.filename) for file in report.files if file.reason == _CLAIMED}
    open_ends = {key for key in counted if entries[key].state == State.LISTED}
    assert open_ends <= claimed, "a listed file was left without an end"


def _report_and_ledger_agree(report: RunReport, entries: Entries) -> None:
    for file in report.files:
        entry = entries[file.device, file.filename]
        if file.reason in {_CLAIMED, WRONG_DEVICE}:
            continue
        assert entry.state in _STATES[file.decision], f"{file.filename} is {file.decision} and {entry.state}"


def _mirrored_is_there_once(world: World, entries: Entries) -> None:
    """Promise 4: no object is doubled, and the ledger knows each."""
    objects = world.objects("raw/")
    keys: dict[str, list[str]] = {}
    for key in objects:
        keys.setdefault(key.rpartition("/")[2], []).append(key)
    for (_, name), entry in entries.items():
        if entry.state == State.MIRRORED:
            assert keys.get(name) == [entry.key], f"{name} is mirrored, and in the bucket as {keys.get(name)}"
            assert objects[str(entry.key)] == entry.sha256


def _scratch_is_empty(world: World) -> None:
    """Promise 8."""
    assert not [path for path in world.settings.scratch.rglob("*") if path.is_file()]


def _listed_windows(run: RunSeen, device_code: str) -> list[object]:
    return [asked for asked in run.asked if asked.subject == device_code and asked.archived is not None]


def _check_end(world: World, shelved: Shelved, entries: Entries) -> None:
    file = shelved.file
    begin = world.begins.get(shelved.device_code)
    if begin is None or (file.archived_at is not None and file.archived_at < begin):
        return  # older than the mirror: the backfill's
    entry = entries[file.device_code, file.filename]
    assert entry.state in _ends(world, shelved), f"{file.filename!r} ended as {entry}"
    if entry.state == State.MIRRORED and _is_wanted(world, file):
        assert world.bucket.objects[str(entry.key)].body == shelved.body, f"{file.filename} is not what it is now"


def _ends(world: World, shelved: Shelved) -> set[State]:
    """The states in which a file may be when all is well."""
    file = shelved.file
    if file.device_code not in DEVICES:
        return {State.QUARANTINED}
    if file.device_code != shelved.device_code:  # its own device does not list it
        return {State.QUARANTINED, State.GONE, State.MIRRORED, State.FILTERED}
    try:
        mirrored_key(file)
    except UnsafeNameError:
        return {State.QUARANTINED}
    if not _is_wanted(world, file):
        # What was already decided about it stays, and what was held waits until it is wanted again.
        return {State.FILTERED, State.MIRRORED, State.QUARANTINED, State.HELD}
    if file.filename in world.flipped or (file.extension == "hdf5" and not judge(shelved.body).passed):
        return {State.QUARANTINED, State.MIRRORED} if judge(shelved.body).passed else {State.QUARANTINED}
    return {State.MIRRORED}


def _is_wanted(world: World, file: ArchiveFile) -> bool:
    return file.extension in world.settings.extensions
