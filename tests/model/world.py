"""The world of the model: an archive, a bucket, a ledger and a clock that outlive every run, and runs of the mirror.

Archive, store and validator are in memory and held to the contracts of the real ones, or tested beside them. The
ledger is the real one, on a SQLite file, since its transactions are a part of what is modelled.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onc_mirror.errors import MirrorError
from onc_mirror.hour import mirror_hour
from onc_mirror.ledger import Ledger, open_ledger
from onc_mirror.ledger.rows import exact_names
from onc_mirror.mirror import Mirror
from onc_mirror.run.gathering import MirrorRequest
from onc_mirror.scratch import Scratch
from onc_mirror.settings import load_settings
from onc_mirror.utc import as_utc
from tests.model.perils import Perils
from tests.support.marked_files import MarkedValidator
from tests.support.memory_archive import MemoryArchive
from tests.support.memory_store import Bucket, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from onc_mirror.report.document import RunReport
    from onc_mirror.settings import MirrorSettings
    from tests.support.memory_archive import Asked, Shelved

DEVICES = ("LIDAR1", "CAMERA1")
BEGINNING = datetime(2026, 11, 22, 12, tzinfo=UTC)
NO_WAIT = (0.0,)
"""Two attempts at everything, at once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger says of a file."""

    state: str
    reason: str
    attempts: int
    key: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run, seen from outside.

    Attributes:
        report: Its report; None when it was killed or broke off.
        refusal: Why it broke off, if it did.
        asked: What it asked the archive.
        visible: What the archive listed when it began.
        entries: The ledger before it.
        watermarks: The watermarks before it.
        objects: The SHA-256 of every object before it, by key.
    """

    report: RunReport | None
    refusal: MirrorError | None
    asked: tuple[Asked, ...]
    visible: tuple[Shelved, ...]
    entries: Mapping[tuple[str, str], Entry]
    watermarks: Mapping[str, datetime]
    objects: Mapping[str, str]


@dataclass(slots=True)
class World:
    """Everything that outlives a run.

    Attributes:
        folder: Of the ledger and scratch.
        settings: What the operator set.
        now: The archive's clock.
        skew: How far the mirror's clock runs ahead of it.
        archive: The archive.
        bucket: The bucket.
        perils: What goes wrong on this side.
        ledger: The ledger, open.
        versions: Every body that the archive ever had under a name.
        flipped: Names of files that were to arrive damaged in a way that their size does not tell.
        published: SHA-256 of every object that was ever seen under `raw/`.
        begins: Where the first window of each device began.
    """

    folder: Path
    settings: MirrorSettings
    now: datetime = BEGINNING
    skew: timedelta = timedelta()
    bucket: Bucket = field(default_factory=Bucket)
    perils: Perils = field(default_factory=Perils)
    archive: MemoryArchive = field(init=False)
    ledger: Ledger = field(init=False)
    versions: dict[str, list[bytes]] = field(default_factory=dict)
    flipped: set[str] = field(default_factory=set)
    published: set[str] = field(default_factory=set)
    begins: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.archive = MemoryArchive(DEVICES, clock=lambda: self.now)
        self.ledger = open_ledger(self.settings.ledger)
        self.perils.watch_ledgers()

    def close(self) -> None:
        self.perils.forget_ledgers()
        self.ledger.close()
        shutil.rmtree(self.folder)

    def put(self, row: dict[str, Any], body: bytes, device_code: str, listed_from: datetime | None = None) -> None:
        """Let the archive take in a file."""
        self.archive.take_in(row, body, device_code=device_code, listed_from=listed_from)
        self.versions.setdefault(str(row.get("filename")), []).append(body)

    def replace(self, filename: str, body: bytes, **changes: Any) -> None:
        """Let the archive replace a file."""
        self.archive.replace(filename, body, **changes)
        self.versions[filename].append(body)

    def names(self) -> set[Any]:
        """The names of all files that the archive lists now."""
        return {shelved.row.get("filename") for shelved in self.archive.everything()}

    def size_is_unknown(self, filename: str) -> bool:
        """Whether the archive's row of the file does not say how long it is, as far as it has one."""
        return any(
            shelved.row.get("filename") == filename and "fileSize" not in shelved.row
            for shelved in self.archive.everything()
        )

    def calm(self) -> None:
        """From now on nothing goes wrong, except that the clock may differ."""
        self.archive.faults.clear()
        self.perils.store_is_down = False
        self.perils.store_fails_in = self.perils.ledger_fails_in = None

    def run(self, *, effects: int | None = None) -> RunSeen:
        """Run an hour in a process that ends before it has had more than `effects`, if that is not None."""
        seen: dict[str, Any] = {
            "visible": self.archive.everything(),
            "entries": self.entries(),
            "watermarks": self.watermarks(),
            "objects": self.objects(),
        }
        asked_before = len(self.archive.requests)
        report, refusal = None, None
        with self.perils.process(effects):
            try:
                with self._mirror() as mirror:
                    report = mirror_hour(mirror, MirrorRequest())
            except MirrorError as error:
                refusal = error
        if self.perils.dead:
            report = None
            self.ledger.close()
            self.ledger = open_ledger(self.settings.ledger)
        run = RunSeen(report, refusal, tuple(self.archive.requests[asked_before:]), **seen)
        self._remember(run)
        return run

    def entries(self) -> Mapping[tuple[str, str], Entry]:
        """What the ledger says of every file, by device and name."""
        columns = "device_code, filename, exact_name, state, reason, attempts, key, sha256"
        rows = self._query(f"select {columns} from files")  # noqa: S608 - the columns are those above
        return {exact_names(*row[:3]): Entry(*row[3:]) for row in rows}

    def watermarks(self) -> Mapping[str, datetime]:
        """The watermark of every device that has one."""
        rows = self._query("select device_code, watermark from devices")
        return {code: as_utc(datetime.fromisoformat(text)) for code, text in rows}

    def objects(self, prefix: str = "") -> Mapping[str, str]:
        """The SHA-256 that every object says it has, by key."""
        return {key: held.described.metadata["sha256"] for key, held in self.bucket.below(prefix).items()}

    @contextmanager
    def _mirror(self) -> Iterator[Mirror]:
        store = MemoryStore(self.bucket, hook=self.perils.on_store)
        with (
            Scratch(self.settings.scratch, self.settings.scratch_budget) as scratch,
            MarkedValidator() as validator,
        ):
            yield Mirror(
                self.settings,
                archive=self.archive,
                store=lambda: store,
                ledger=self.ledger,
                scratch=scratch,
                validator=validator,
                clock=lambda: self.now + self.skew,
            )

    def _remember(self, run: RunSeen) -> None:
        self.published |= set(self.objects("raw/").values())
        for asked in run.asked:
            if asked.archived is not None:
                self.begins.setdefault(asked.subject, asked.archived.since)

    def _query(self, statement: str) -> list[Any]:
        with closing(sqlite3.connect(self.folder / "ledger.db")) as connection:
            return connection.execute(statement).fetchall()


def new_world(template: Path) -> World:
    """A world in which nothing has happened yet; `template` is an empty ledger, which takes long to make."""
    folder = Path(tempfile.mkdtemp(prefix="onc-mirror-model-"))
    shutil.copy(template, folder / "ledger.db")
    table = folder / "devices.toml"
    table.write_text("".join(f'[[device]]\ncode = "{code}"\n' for code in DEVICES))
    settings = load_settings(
        token="c4nary-token",
        store_url="s3://bucket",
        state_dir=folder,
        devices_file=table,
        concurrency=1,  # so that the same steps are the same run
        retry_delays_s=NO_WAIT,
    )
    return World(folder, settings)
