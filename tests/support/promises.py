"""The promises of the mirror, held against what is really there: archive, ledger, bucket, report and scratch.

Whoever runs a mirror in a test, however badly it was treated, can ask here afterwards which promises are broken.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, func, select

from infra.sandbox.archive.sea import Span
from infra.sandbox.archive.times import to_ms
from onc_mirror.archive.rows import parse_file
from onc_mirror.errors import ClaimLostError
from onc_mirror.layout import mirrored_key
from onc_mirror.ledger import open_ledger
from onc_mirror.ledger.tables import files, runs, slots
from onc_mirror.model import BY_THE_ROW, Grade
from onc_mirror.provenance import archive_fields, reachable_grade
from onc_mirror.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from onc_mirror.ledger import Ledger
    from onc_mirror.model import StoredObject
    from onc_mirror.report.document import RunReport
    from onc_mirror.settings import MirrorSettings
    from onc_mirror.store import ObjectStore
    from tests.support.archive import RunningArchive

_APART = ("quarantine", "superseded", "reports")
# A run was killed while it made its folder; nobody can tell it from one that is just making it, for an hour.
_STILLBORN = "onc-mirror-being-made-*/onc-mirror.lock"


@dataclass(frozen=True, slots=True)
class Thing:
    """An object in the bucket, looked at in every way.

    Attributes:
        listed: What the store's listing says of it.
        stored: What the store says of it when asked about it alone.
        sha256: What its bytes say.
        body: Its bytes, when it is JSON.
    """

    listed: StoredObject
    stored: StoredObject
    sha256: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger, as text; empty where it has nothing."""

    device_code: str
    filename: str
    state: str
    reason: str
    rule: str
    key: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Scene:
    """All that there is after a run.

    Attributes:
        archive: The stand-in.
        settings: Those of the mirror.
        report: The report of the last run.
        things: The bucket by key.
        entries: The ledger by device code and name.
        watermarks: By device; those that have one.
        kept_report: What the ledger has as the last run's report.
        leases: How many files and slots somebody still has when the last run has ended.
        left: Files in scratch, and half-written ones in a bucket that is a folder.
    """

    archive: RunningArchive
    settings: MirrorSettings
    report: RunReport
    things: Mapping[str, Thing] = field(default_factory=dict)
    entries: Mapping[tuple[str, str], Entry] = field(default_factory=dict)
    watermarks: Mapping[str, datetime] = field(default_factory=dict)
    kept_report: str | None = None
    leases: int = 0
    left: tuple[Path, ...] = ()

    @property
    def mirrored(self) -> dict[str, Thing]:
        """The objects that readers of the bucket see, by key."""
        return {key: thing for key, thing in self.things.items() if key.partition("/")[0] not in _APART}

    def below(self, folder: str) -> dict[str, Thing]:
        """The objects below one of the folders that are not for readers, by key."""
        return {key: thing for key, thing in self.things.items() if key.startswith(f"{folder}/")}


def look_around(
    archive: RunningArchive, settings: MirrorSettings, report: RunReport, *, before: Scene | None = None
) -> Scene:
    """Look at everything once; at objects that the store lists as it did `before`, not again."""
    left = tuple(_left(settings))  # first, as opening a store clears away what it finds
    with open_ledger(settings.ledger) as ledger:
        known = [entry for code in _devices(ledger, report) for entry in _entries(ledger, code)]
        entries = {(entry.device_code, entry.filename): entry for entry in known}
        watermarks = {code: mark for code in report.devices if (mark := ledger.watermark(code)) is not None}
        kept_report = ledger.report(report.run_id)
    things = _look_at_bucket(settings, {} if before is None else before.things)
    return Scene(archive, settings, report, things, entries, watermarks, kept_report, _leases(settings), left)


def broken_promises(scene: Scene, *, since: datetime | None = None, kept: frozenset[str] = frozenset()) -> list[str]:
    """Say what is not as promised; nothing when all is well.

    Args:
        scene: What there is after a run.
        since: Begin of the first window ever listed; None: the watermarks are not looked at.
        kept: Hashes of contents that were mirrored before and so must still be in the bucket.
    """
    found = [
        *_unproven(scene),
        *_unaccounted(scene),
        *_bucket_against_ledger(scene),
        *_lost_or_doubled(scene, kept),
        *_half_quarantined(scene),
        *_report_kept_wrong(scene),
        *_left_behind(scene),
    ]
    return found if since is None else [*found, *_passed_by(scene, since)]


def _unproven(scene: Scene) -> Iterator[str]:
    owners = {entry.key: entry for entry in scene.entries.values()}
    for key, thing in scene.mirrored.items():
        name = PurePosixPath(key).name
        metadata = thing.stored.metadata
        file = parse_file(archive_fields(metadata), "")
        entry = owners.get(key)
        if entry is not None and entry.state == "mirrored" and thing.sha256 != scene.archive.true_sha256(name):
            yield f"{key} is not what the archive has"
        if metadata.get("sha256") != thing.sha256:
            yield f"{key} has bytes with another hash than its metadata"
        if file.filename != name or mirrored_key(file, scene.settings.layout) != key:
            yield f"{key} does not say that it belongs there"
        if metadata.get("grade") is None or (
            Grade(metadata["grade"]).rank < reachable_grade(file, scene.settings.grade).rank
        ):
            yield f"{key} is not proven far enough: {metadata.get('grade')}"


def _unaccounted(scene: Scene) -> Iterator[str]:
    for entry in scene.entries.values():
        told = entry.rule if entry.state == "filtered" else entry.reason
        if entry.state == "listed":
            yield f"{entry.filename} was listed and left without an end"
        elif entry.state != "mirrored" and not told:
            yield f"{entry.filename} is {entry.state} without a reason"
    counted = Counter(file.filename for file in scene.report.files)
    yield from (f"{name} is {count} times in the report" for name, count in counted.items() if count > 1)
    if len(scene.entries) < scene.report.listed:
        yield f"{scene.report.listed} files are reported as listed, {len(scene.entries)} are in the ledger"
    for file in scene.report.files:
        known = scene.entries.get((file.device, file.filename))
        wanted = {"failed": "held", "already": "mirrored"}.get(file.decision, file.decision)
        if file.reason == ClaimLostError.reason or (known is None and file.decision == "gone"):
            continue  # another run says what becomes of it; or the archive never listed it
        if known is None or known.state != wanted:
            yield f"{file.filename} is reported as {file.decision}, the ledger has {known}"


def _bucket_against_ledger(scene: Scene) -> Iterator[str]:
    known = {entry.key: entry for entry in scene.entries.values() if entry.key}
    for key, thing in scene.mirrored.items():
        if key not in known:
            yield f"{key} is not in the ledger"
        elif known[key].sha256 != thing.sha256:
            yield f"{key} has another hash than the ledger has"
    for entry in scene.entries.values():
        if entry.key and entry.key not in scene.things:
            yield f"{entry.filename} is {entry.state} and its object {entry.key} is not there"
        if entry.state == "mirrored" and not entry.key:
            yield f"{entry.filename} is mirrored nobody knows where"


def _lost_or_doubled(scene: Scene, kept: frozenset[str]) -> Iterator[str]:
    former = scene.below("superseded")
    names = Counter(PurePosixPath(key).name for key in scene.mirrored)
    yield from (f"{name} is {count} times in the bucket" for name, count in names.items() if count > 1)
    current = {PurePosixPath(key).name: thing.sha256 for key, thing in scene.mirrored.items()}
    for key, thing in former.items():
        name, _, begin = PurePosixPath(key).name.rpartition(".")
        if not thing.sha256.startswith(begin):
            yield f"{key} is not what its name says"
        if current.get(name) == thing.sha256:
            yield f"{key} is kept as superseded and still the current one"
    there = {thing.sha256 for thing in (*scene.mirrored.values(), *former.values())}
    yield from (f"the content {sha256} was mirrored once and is lost" for sha256 in sorted(kept - there))


def _half_quarantined(scene: Scene) -> Iterator[str]:
    apart = scene.below("quarantine")
    notes = {key.removesuffix(".json"): thing for key, thing in apart.items() if key.endswith(".json")}
    copies = {key: thing for key, thing in apart.items() if not key.endswith(".json")}
    yield from (f"{key} has no note" for key in copies.keys() - notes.keys())
    yield from (f"{key}.json is about nothing" for key in notes.keys() - copies.keys())
    for key in copies.keys() & notes.keys():
        note: dict[str, Any] = json.loads(notes[key].body)
        if note["sha256"] != copies[key].sha256 or not note["reason"]:
            yield f"{key}.json does not tell of the copy beside it"
    named = {PurePosixPath(key).name.rpartition(".")[0] for key in copies}
    for entry in scene.entries.values():
        if entry.state == "quarantined" and entry.reason not in BY_THE_ROW and entry.filename not in named:
            yield f"{entry.filename} is quarantined and no bad copy is kept"


def _report_kept_wrong(scene: Scene) -> Iterator[str]:
    if scene.kept_report != scene.report.to_json():
        yield "the ledger does not have the report"
    kept = [thing for key, thing in scene.below("reports").items() if key.endswith(f"/{scene.report.run_id}.json")]
    if len(kept) != int(scene.report.is_noteworthy):
        yield f"the bucket has the report {len(kept)} times"
    yield from ("the bucket has another report" for thing in kept if thing.body.decode() != scene.report.to_json())


def _left_behind(scene: Scene) -> Iterator[str]:
    yield from (f"{path} is left behind" for path in scene.left)
    if scene.leases:
        yield f"{scene.leases} leases are left"


def _passed_by(scene: Scene, since: datetime) -> Iterator[str]:
    for code, watermark in scene.watermarks.items():
        rows = scene.archive.rows(code, archived=Span(to_ms(since), to_ms(watermark)))
        for row in rows:
            if (code, row["filename"]) not in scene.entries:
                yield f"the watermark of {code} has passed {row['filename']}, which is not in the ledger"


def _devices(ledger: Ledger, report: RunReport) -> list[str]:
    return sorted({*report.devices, *(summary.device_code for summary in ledger.summary())})


def _entries(ledger: Ledger, device_code: str) -> Iterator[Entry]:
    names = Entry.__slots__
    table = ledger.entries(device_code)
    columns = (table[name].fillna("").astype(str) for name in names)
    for row in zip(*columns, strict=True):
        yield Entry(*row)


def _look_at_bucket(settings: MirrorSettings, before: Mapping[str, Thing]) -> dict[str, Thing]:
    with open_store(settings) as store:
        known = {found.key: (found, before.get(found.key)) for found in store.list("")}
        return {
            key: thing if thing is not None and thing.listed == listed else _thing(store, listed)
            for key, (listed, thing) in known.items()
        }


def _thing(store: ObjectStore, listed: StoredObject) -> Thing:
    stored = store.head(listed.key)
    if stored is None:
        raise LookupError(f"{listed.key} is listed and not there")
    with store.open(listed.key) as body:
        content = body.read()
    is_text = listed.key.endswith(".json")
    return Thing(listed, stored, hashlib.sha256(content).hexdigest(), content if is_text else b"")


def _left(settings: MirrorSettings) -> Iterator[Path]:
    yield from (path for path in settings.scratch.rglob("*") if path.is_file() and not path.match(_STILLBORN))
    if settings.store_url.startswith("file://"):
        yield from Path(settings.store_url.removeprefix("file://"), ".onc-mirror", "partial").glob("*")


def _leases(settings: MirrorSettings) -> int:
    engine = create_engine(settings.ledger)
    try:
        with engine.connect() as connection:
            now = select(func.max(runs.c.finished_at)).scalar_subquery()
            held = (select(func.count()).select_from(kind).where(kind.c.lease_until > now) for kind in (files, slots))
            return sum(connection.execute(query).scalar_one() for query in held)
    finally:
        engine.dispose()
