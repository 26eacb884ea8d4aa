"""The promises of the mirror (design, section 1) as checks of the world after a run; the numbers are theirs.

`check_whatever_happened` holds after every run, also one that was killed; `check_ended` after one with a report;
`check_quiet` of a run right after one that left nothing to do.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from onc_mirror.errors import ClaimLostError
from onc_mirror.guard import UNLIKELY
from onc_mirror.model import WRONG_DEVICE, Decision, Grade, State
from onc_mirror.provenance import RELEASED
from tests.support.marked_files import judge

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from onc_mirror.report.document import RunReport
    from tests.model.seen import Entry, RunSeen
    from tests.model.world import World

    Entries = Mapping[tuple[str, str], Entry]

# What the ledger says of a file after a run has said this of it.
_STATES = {
    Decision.MIRRORED: {State.MIRRORED},
    Decision.HELD: {State.HELD},
    Decision.FAILED: {State.HELD},
    Decision.QUARANTINED: {State.QUARANTINED},
    Decision.GONE: {State.GONE},
}
_ELSEWHERE = frozenset({ClaimLostError.reason, WRONG_DEVICE})
# What these leave alone they name, and it stays what it was.
_LEAVING = frozenset({"scrub", "release", "rebuild"})


def check_whatever_happened(world: World, run: RunSeen) -> None:
    check_always(world, run, kept_back=run.kept_back(), denied=run.denied())
    _lies_are_doubted(world, run)


def check_always(world: World, run: RunSeen, *, kept_back: Collection[str], denied: Collection[str]) -> None:
    """Also of a run beside which others ran.

    Args:
        world: After the run.
        run: The run.
        kept_back: Files that were not listed though they are there.
        denied: Those of them that nothing contradicts, so that they may be taken for gone.
    """
    _published_means_proven(world)
    _nothing_is_lost(world)
    _watermark_passed_nothing(world, run, kept_back)
    _gone_means_gone(world, run, denied)


def check_ended(world: World, run: RunSeen, report: RunReport) -> None:
    entries = world.entries()
    check_numbers(report)
    _every_row_has_an_end(run, report, entries)
    _report_and_ledger_agree(run, report, entries)
    _mirrored_is_there_once(world, run, report, entries)
    _scratch_is_empty(world)


def check_overtaken(world: World, run: RunSeen, report: RunReport) -> None:
    """Of a run that ended, and beside which others ran: what it tells was true when it happened."""
    entries = world.entries()
    check_numbers(report)
    _every_row_has_an_end(run, report, entries)
    _mirrored_is_there_once(world, run, report, entries)
    _scratch_is_empty(world)


def check_quiet(world: World, run: RunSeen) -> None:
    """Promise 5: a second run right after does nothing."""
    assert run.done is not None, run.refusal
    assert not [asked.subject for asked in run.asked if asked.endpoint == "download"]
    changed = {key for key, sha256 in world.objects().items() if run.objects.get(key) != sha256}
    if run.done.is_noteworthy:
        changed = {key for key in changed if not key.startswith("reports/")}
    assert not changed
    assert run.objects.keys() <= world.objects().keys()
    assert world.entries() == run.entries


def _published_means_proven(world: World) -> None:
    """Promise 1."""
    for key, held in world.bucket.below("raw/").items():
        if world.is_spoilt(key):
            continue
        name, told = key.rpartition("/")[2], held.described.metadata
        was_released = RELEASED in told
        assert was_released or held.body in world.versions[name], f"{key} holds what the archive never had"
        grade = Grade(told["grade"])
        assert not name.endswith(".hdf5") or judge(held.body, grade).passed, f"{key} holds what is not proven"
        assert was_released or not name.endswith(".hdf5") or grade is world.settings.grade


def _nothing_is_lost(world: World) -> None:
    """Promise 4, and section 4: what was once under `raw/` stays there, or under `superseded/`."""
    kept = {*world.objects("raw/").values(), *world.objects("superseded/").values()}
    assert world.published <= kept
    assert all(world.bucket.objects[key].body == body for key, body in world.kept.items())


def _watermark_passed_nothing(world: World, run: RunSeen, kept_back: Collection[str]) -> None:
    """Promise 3, step by step: what the watermark moved over was listed, and is in the ledger."""
    if run.work.name == "rebuild":
        return  # it has a ledger of its own
    known = world.entries().keys()
    there = {id(shelved) for shelved in world.archive.everything()}
    for code, after in world.watermarks().items():
        before = run.watermarks.get(code)
        if before == after:
            continue
        assert before is None or before < after, f"the watermark of {code} went back"
        if before is None and not run.listings(code):
            continue  # the first listing failed: its begin is noted, and a later one reaches back to it
        since = world.begins[code] if before is None else before - world.settings.overlap
        for shelved in run.visible:
            file = shelved.file
            if shelved.device_code != code or file.archived_at is None or file.filename in kept_back:
                continue
            if id(shelved) not in there:
                continue  # replaced meanwhile, and archived later than it was
            if since <= file.archived_at < after:
                assert (file.device_code, file.filename) in known, f"{file.filename} was passed"


def _gone_means_gone(world: World, run: RunSeen, denied: Collection[str]) -> None:
    """Promise 2: what a run takes for gone, the archive has no more, under no device.

    A file that has moved to another day is counted there, where nobody misses it.
    """
    there = {(one.file.device_code, one.file.filename) for one in world.archive.everything()}
    excused = {*denied, *world.moved.intersection(world.deceived)}
    for key, entry in world.entries().items():
        if entry.state == State.GONE and key in there and key[1] not in excused:
            before = run.entries.get(key)
            assert before is not None, f"{key[1]!r} is gone, and there"
            assert before.state == State.GONE, f"{key[1]!r} was taken for gone, and is there"


def _lies_are_doubted(world: World, run: RunSeen) -> None:
    """Issue 3: a listing that lacks what is known is no success, unless the archive denied each when asked for it."""
    denied = {file.filename for asked in run.asked if asked.archived is None for file in asked.hidden}
    now = world.watermarks()
    for asked in run.asked:
        if asked.archived is None or asked.listing is None:
            continue
        code, listed = asked.subject, {file.filename for file in asked.listing.files}
        missing = {
            file.filename
            for file in asked.hidden
            if file.filename not in listed
            and (entry := run.entries.get((file.device_code, file.filename))) is not None
            and entry.is_counted_on
            and entry.was_archived_in(asked.archived)  # archived again since, it is not missed
            and file.device_code == code
        }
        many = len(missing) >= max(3, len(listed) / 4) if listed else bool(missing)
        if not many or (listed and missing <= denied):
            continue
        assert now.get(code) == run.watermarks.get(code), f"{code} was believed without {sorted(missing)}"
        if run.report is not None:
            assert code in {error.device for error in run.report.errors}, f"nobody doubts the listing of {code}"


def check_numbers(report: RunReport) -> None:
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
    claimed = {(file.device, file.filename) for file in report.files if file.reason in _ELSEWHERE}
    open_ends = {key for key in counted if entries[key].state == State.LISTED}
    assert open_ends <= claimed, "a listed file was left without an end"
    if not run.work.only_failed and UNLIKELY not in {error.reason for error in report.errors}:
        surveyed = {key for key in _surveyed(run) if key[0] not in broken}
        assert report.listed >= len(surveyed), f"{len(surveyed)} files were listed, {report.listed} are told"


def _surveyed(run: RunSeen) -> set[tuple[str, str]]:
    """The files whose data begin on the days that it asked for, as far as they were listed then."""
    return {
        (file.device_code, file.filename)
        for asked in run.surveys()
        if asked.listing is not None and asked.data is not None
        for file in asked.listing.files
        if file.begins_at is not None and asked.data.since < file.begins_at < asked.data.until
    }


def _report_and_ledger_agree(run: RunSeen, report: RunReport, entries: Entries) -> None:
    for file in report.files:
        entry = entries[file.device, file.filename]
        if file.reason in _ELSEWHERE or (run.work.name in _LEAVING and file.decision is not Decision.MIRRORED):
            continue
        assert entry.state in _STATES[file.decision], f"{file.filename} is {file.decision} and {entry.state}"


def _mirrored_is_there_once(world: World, run: RunSeen, report: RunReport, entries: Entries) -> None:
    """Promise 4: no object is doubled, and the ledger knows each.

    Beside a former copy, under another key, a killed run may have left its successor: the next hour that sees the
    file ends that.
    """
    objects = world.objects("raw/")
    keys: dict[str, list[str]] = {}
    for key in objects:
        keys.setdefault(key.rpartition("/")[2], []).append(key)
    unseen = {file.filename for file in report.files if file.reason in _ELSEWHERE} | run.kept_back()
    failed = {error.device for error in report.errors}
    for (device, name), entry in entries.items():
        if entry.state != State.MIRRORED or (world.is_spoilt(entry.key) and entry.key not in objects):
            continue
        assert str(entry.key) in keys.get(name, ()), f"{name} is mirrored, and not in the bucket"
        assert objects[str(entry.key)] == entry.sha256
        if run.work.name == "mirror-hour" and device not in failed and name not in unseen:
            assert len(keys[name]) == 1, f"{name} is mirrored, and in the bucket as {keys[name]}"


def _scratch_is_empty(world: World) -> None:
    """Promise 8."""
    assert not [path for path in world.settings.scratch.rglob("*") if path.is_file()]
