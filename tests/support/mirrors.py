"""A mirror between the archive stand-in and a store, and a check of what every run promises."""

from __future__ import annotations

import atexit
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from onc_mirror.hour import mirror_hour
from onc_mirror.ledger import open_ledger
from onc_mirror.mirror import open_mirror
from onc_mirror.run.gathering import MirrorRequest
from onc_mirror.settings import MirrorSettings, load_settings
from onc_mirror.store import ObjectStore, open_store
from onc_mirror.validation import Validator
from tests.support.ledgers import empty_sqlite_ledger
from tests.support.promises import broken_promises, look_around

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from onc_mirror.mirror import Mirror
    from onc_mirror.report.document import RunReport
    from tests.support.archive import RunningArchive

NOON = datetime(2022, 5, 2, 12, 30, tzinfo=UTC)
DEVICE = "TUMPMTSPECTROMETER001"
"""A device with several products, deployed then."""
VICTIM = f"{DEVICE}_20220502T110000.000Z-SDAQ-PMTSPEC.hdf5"
"""One of its files that a run at that time lists."""


@dataclass(slots=True)
class Bench:
    """What a test needs: an archive, the settings of a mirror of it, and a clock to turn.

    Attributes:
        archive: The stand-in.
        settings: Impatient ones, so that faults show quickly.
        now: What the mirror's clock says; the archive's own follows with `turn`.
    """

    archive: RunningArchive
    settings: MirrorSettings
    now: datetime = NOON

    def turn(self, now: datetime) -> None:
        self.now = now
        self.archive.set_clock(now)

    @contextmanager
    def open(self) -> Iterator[Mirror]:
        with open_mirror(self.settings, clock=lambda: self.now) as mirror:
            mirror.validator = _validator(self.settings.validation_timeout_s, self.settings.validation_memory)
            yield mirror

    def run(self, **request: Any) -> RunReport:
        with self.open() as mirror:
            return mirror_hour(mirror, MirrorRequest(**request))

    def objects(self, prefix: str = "") -> dict[str, str]:
        """SHA-256 of every object by key."""
        with open_store(self.settings) as store:
            return {found.key: _sha256(store, found.key) for found in store.list(prefix)}

    def ledger_states(self, device_code: str) -> dict[str, tuple[str, str]]:
        """State and reason by filename."""
        with open_ledger(self.settings.ledger) as ledger:
            entries = ledger.entries(device_code)
        columns = (entries[name].fillna("").astype(str) for name in ("filename", "state", "reason"))
        return {name: (state, reason) for name, state, reason in zip(*columns, strict=True)}

    def watermark(self, device_code: str) -> datetime | None:
        with open_ledger(self.settings.ledger) as ledger:
            return ledger.watermark(device_code)

    def assert_promises_hold(self, report: RunReport) -> None:
        """All that `broken_promises` looks for is as promised after the run of this report."""
        assert broken_promises(look_around(self.archive, self.settings, report)) == []


def bench(archive: RunningArchive, folder: Path, **overrides: Any) -> Bench:
    """Set up a mirror of `archive` with its state in `folder` and, unless told otherwise, a folder as its store."""
    (folder / "bucket").mkdir(exist_ok=True)
    chosen: dict[str, Any] = {
        "token": archive.token,
        "archive_url": archive.url,
        "store_url": f"file://{folder / 'bucket'}",
        "state_dir": folder / "state",
        "connect_timeout_s": 0.5,
        "stall_timeout_s": 2.0,
        "quick_retries": 0,
        "retry_delays_s": (0.05, 0.3),
    }
    archive.set_clock(NOON)
    settings = load_settings(**chosen | overrides)
    ledger = settings.state_dir / "ledger.db"
    if settings.ledger == f"sqlite:///{ledger}" and not ledger.exists():
        ledger.parent.mkdir(exist_ok=True)
        ledger.write_bytes(empty_sqlite_ledger())
    return Bench(archive, settings)


def on_ladder(mirror: Bench, delays: tuple[timedelta, ...]) -> Bench:
    """Have `mirror` try a file once per run and again after `delays`, with patience for a busy machine."""
    mirror.settings = mirror.settings.model_copy(
        update={"hold_delays": delays, "retry_delays_s": (), "stall_timeout_s": 30.0}
    )
    return mirror


@cache
def _validator(timeout_s: float, memory_bytes: int) -> Validator:
    """One for all mirrors of a worker: its processes take longer to start than a run of a few files."""
    validator = Validator(timeout_s, memory_bytes, processes=2)
    atexit.register(validator.close)
    return validator


def _sha256(store: ObjectStore, key: str) -> str:
    with store.open(key) as body:
        return hashlib.sha256(body.read()).hexdigest()
