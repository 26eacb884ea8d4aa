"""The world of the model: an archive, a bucket, a ledger and a clock that outlive every run, and runs of the mirror.

Archive, store and validator are in memory and held to the contracts of the real ones, or tested beside them. The
ledger is the real one, on a SQLite file, since its transactions are a part of what is modelled.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from onc_mirror.backfill import lanes
from onc_mirror.errors import MirrorError
from onc_mirror.ledger import Ledger, open_ledger
from onc_mirror.ledger.rows import exact_names
from onc_mirror.mirror import Mirror
from onc_mirror.scratch import Scratch
from onc_mirror.settings import load_settings
from onc_mirror.utc import as_utc
from tests.model.perils import Perils
from tests.model.seen import Entry, RunSeen
from tests.model.works import HOUR
from tests.support.marked_files import MarkedValidator
from tests.support.memory_archive import MemoryArchive
from tests.support.memory_store import Bucket, Held, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from onc_mirror.settings import MirrorSettings
    from tests.model.perils import Suspension
    from tests.model.works import Work

DEVICES = ("LIDAR1", "CAMERA1")
BEGINNING = datetime(2026, 11, 22, 12, tzinfo=UTC)
NO_WAIT = (0.0,)
"""Two attempts at everything, at once."""
_A_PAUSE_S = 0.1
"""Who waits for less only spreads its requests."""


class PassingTime(threading.Event):
    """An event for which nobody waits: the time of the world goes on instead."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def wait(self, timeout: float | None = None) -> bool:
        """Let time pass; who asks again and again for something asks every ten minutes."""
        if timeout is not None and timeout >= _A_PAUSE_S:
            self._world.now += timedelta(seconds=timeout) if timeout > 1 else timedelta(minutes=10)
        return self.is_set()


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
        moved: Names of files that now belong to another day than they did once.
        published: SHA-256 of every object that was ever seen under `raw/` and that nobody has spoilt.
        kept: Every object that was ever seen in quarantine, but for the notes, by key.
        spoilt: What somebody made of objects under `raw/`, by key; None: they were deleted.
        begins: Where the first window of each device began.
        deceived: Names of files that a listing has kept back: only a reconcile may find, or mend, what came of that.
        doubts_clocks: Whether the mirror's clock was ever wrong, so that its times tell no order.
    """

    folder: Path
    settings: MirrorSettings
    now: datetime = BEGINNING
    skew: timedelta = timedelta()
    bucket: Bucket = field(default_factory=Bucket)
    perils: Perils = field(default_factory=Perils)
    deceived: set[str] = field(default_factory=set)
    kept: dict[str, bytes] = field(default_factory=dict)
    spoilt: dict[str, bytes | None] = field(default_factory=dict)
    doubts_clocks: bool = False
    runs: int = 0
    archive: MemoryArchive = field(init=False)
    ledger: Ledger = field(init=False)
    versions: dict[str, list[bytes]] = field(default_factory=dict)
    flipped: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    published: set[str] = field(default_factory=set)
    begins: dict[str, datetime] = field(default_factory=dict)
    _passing_time: Any = field(init=False)

    def __post_init__(self) -> None:
        self.archive = MemoryArchive(DEVICES, clock=lambda: self.now, hook=self.perils.on_moment)
        self.ledger = open_ledger(self.settings.ledger)
        self.perils.watch_ledgers()
        # What waits in real time, waits for slots of backfills and for claims of other runs.
        events = SimpleNamespace(Lock=threading.Lock, Event=partial(PassingTime, self))
        self._passing_time = patch.object(lanes, "threading", events)
        self._passing_time.start()

    def close(self) -> None:
        self._passing_time.stop()
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
        self.archive.shortened.clear()
        self.perils.store_is_down = False
        self.perils.store_fails_in = self.perils.ledger_fails_in = None

    def run(self, work: Work = HOUR, *, effects: int | None = None, suspension: Suspension | None = None) -> RunSeen:
        """Run something in a process of its own.

        Args:
            work: What.
            effects: It ends before it has had more; None: it lives.
            suspension: What happens while it stands still for a while.
        """
        seen: dict[str, Any] = {
            "visible": self.archive.everything(),
            "entries": self.entries(),
            "watermarks": self.watermarks(),
            "objects": self.objects(),
        }
        self.runs += 1
        number, self.archive.caller, caller = self.runs, self.runs, self.archive.caller
        self.doubts_clocks |= self.skew != timedelta(0)
        done, refusal = None, None
        with self.perils.process(effects, suspension) as life:
            try:
                with self._mirror() as mirror:
                    done = work.do(mirror)
            except MirrorError as error:
                refusal = error
        self.archive.caller = caller
        if life.dead:
            done = None
            self.ledger.close()
            self.ledger = open_ledger(self.settings.ledger)
        asked = tuple(one for one in self.archive.requests if one.caller == number)
        run = RunSeen(work=work, done=done, refusal=refusal, asked=asked, **seen)
        self._remember(run)
        return run

    def lose_the_ledger(self, template: Path) -> None:
        """Let the operator begin with an empty ledger."""
        self.ledger.close()
        for path in self.folder.glob("ledger.db*"):
            path.unlink()
        shutil.copy(template, self.folder / "ledger.db")
        self.ledger = open_ledger(self.settings.ledger)

    def spoil(self, key: str, *, is_lost: bool) -> None:
        """Delete an object, or change a byte of it where nobody sees it."""
        held = self.bucket.objects.pop(key)
        self.published.discard(held.described.metadata["sha256"])
        self.spoilt[key] = None
        if not is_lost:
            self.spoilt[key] = body = held.body[:-1] + bytes([held.body[-1] ^ 1])
            self.bucket.objects[key] = Held(body, held.described)

    def is_spoilt(self, key: str | None) -> bool:
        """Whether there is still what somebody has made of an object."""
        if key not in self.spoilt:
            return False
        held = self.bucket.objects.get(key)
        return (None if held is None else held.body) == self.spoilt[key]

    def entries(self) -> Mapping[tuple[str, str], Entry]:
        """What the ledger says of every file, by device and name."""
        columns = (
            "device_code, filename, exact_name, state, reason, attempts, key, sha256, quarantine_key, archived_at"
        )
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
        whole = [key for key in self.bucket.below("raw/") if not self.is_spoilt(key)]
        self.published |= {self.bucket.objects[key].described.metadata["sha256"] for key in whole}
        bad = self.bucket.below("quarantine/")
        self.kept |= {key: held.body for key, held in bad.items() if not key.endswith(".json")}
        self.deceived |= run.kept_back()
        for asked in run.asked:
            if asked.archived is not None and run.work is HOUR:
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
        scrub_days=1,  # each scrub reads everything
        backfill_requests_per_s=1000,
    )
    return World(folder, settings)
