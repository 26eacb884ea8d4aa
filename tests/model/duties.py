"""What a run owes beside the promises, once it has ended: each flow its own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.model import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from onc_mirror.model import ArchiveFile
    from onc_mirror.reconcile.witnessing import Disagreement
    from onc_mirror.report.document import RunReport
    from tests.model.seen import Entry, RunSeen
    from tests.model.world import World


def check_duties(world: World, run: RunSeen, report: RunReport) -> None:
    """Check what the flow of `run` is for."""
    if run.work.name == "backfill":
        _check_filled(world, run, report)
    elif run.work.name == "scrub":
        _check_scrubbed(world, run, report)
    elif run.work.name == "reconcile":
        _check_reconciled(world, run, report)
        _check_witnessed(run, report)


def check_rebuilt(world: World, before: Mapping[tuple[str, str], Entry]) -> None:
    """What the bucket can tell of is as it was before the ledger was lost; to be asked when clocks were right."""
    after = world.entries()
    for key, was in before.items():
        if was.state == State.MIRRORED and was.key in world.bucket.objects:
            found = after.get(key)
            assert found is not None, f"{key[1]} is not in the ledger"
            assert (found.state, found.key, found.sha256) == (was.state, was.key, was.sha256)
        if was.state == State.QUARANTINED and was.quarantine_key is not None:
            found = after.get(key)
            assert found is not None, f"{key[1]} is not in the ledger"
            assert (found.state, found.quarantine_key) == (was.state, was.quarantine_key)


def _check_filled(world: World, run: RunSeen, report: RunReport) -> None:
    """Every file of the day that was listed has an end."""
    day = run.work.day
    failed = {error.device for error in report.errors}
    claimed = {file.filename for file in report.files if file.reason == "claimed-elsewhere"}
    assert not claimed or world.doubts_clocks, f"{claimed} were left to a run that is dead"
    entries, kept_back = world.entries(), run.kept_back()
    if day is None or "" in failed or run.work.only_failed:
        return
    for shelved in run.visible:
        file = shelved.file
        if file.begins_at is None or not day <= file.begins_at < day + timedelta(days=1):
            continue
        if shelved.device_code in failed or file.filename in kept_back | claimed:
            continue
        entry = entries.get((file.device_code, file.filename))
        assert entry is not None, f"{file.filename} was left out"
        assert entry.state != State.LISTED, f"{file.filename} was left without an end"


def _check_scrubbed(world: World, run: RunSeen, report: RunReport) -> None:
    """No object that is not what was proven is passed over in silence."""
    if any(error.device == "" for error in report.errors):
        return
    named = {(file.device, file.filename) for file in report.files}
    spoilt = {key for key, entry in run.entries.items() if world.is_spoilt(entry.key)}
    assert spoilt <= named, f"a scrub says nothing of {spoilt - named}"


def _check_reconciled(world: World, run: RunSeen, report: RunReport) -> None:
    """No object that is missing is passed over in silence, where the archive still has the file and it is wanted."""
    kept_back = run.kept_back()
    failed = {error.device for error in report.errors}
    if kept_back or "" in failed:
        return
    named = {(file.device, file.filename) for file in report.files}
    for shelved in run.visible:
        file = shelved.file
        key = (file.device_code, file.filename)
        entry = run.entries.get(key)
        if entry is None or entry.state != State.MIRRORED or file.begins_at is None or file.device_code in failed:
            continue
        if file.device_code != shelved.device_code or file.extension not in world.settings.extensions:
            continue
        if entry.key in world.spoilt and world.spoilt[entry.key] is None and world.is_spoilt(entry.key):
            assert key in named, f"a reconcile says nothing of {file.filename}, whose object is missing"


def _check_witnessed(run: RunSeen, report: RunReport) -> None:
    """An empty listing is not believed, a short one is held against the archive's counts, and a good one agrees."""
    found = None if run.done is None else run.done.found
    assert found is not None
    failed, counted = {error.device for error in report.errors}, run.counted()
    silent = {one.device for one in found.devices if one.silent_witness}
    assert run.uncounted() <= failed | silent, "nobody says that the archive does not count"
    for asked in run.surveys():
        code = asked.subject
        missing = [file for file in asked.hidden if file.begins_at is not None and file.device_code == code]
        if asked.listing is not None and not asked.listing.files:
            assert code in failed or not _known(run, missing), f"nobody doubts that {code} has no files"
        told = [one for device, one in found.disagreements if device == code]
        if code in counted - failed:
            assert asked.hidden or not told, f"{told} of {code} are no disagreements"
            unmissed = [file.filename for file in missing if not any(_falls_short_of(one, file) for one in told)]
            assert not unmissed, f"nobody misses {unmissed}"


def _known(run: RunSeen, files: Iterable[ArchiveFile]) -> list[str]:
    entries = {file.filename: run.entries.get((file.device_code, file.filename)) for file in files}
    return [name for name, entry in entries.items() if entry is not None and entry.is_counted_on]


def _falls_short_of(one: Disagreement, file: ArchiveFile) -> bool:
    is_there = file.begins_at is not None and one.since <= file.begins_at < one.until
    return is_there and one.extension == file.extension and one.counts_more
