"""Rebuild: a ledger that was lost, made anew from the bucket alone.

Every object is looked at, many side by side, and believed only as a whole (`testimony`); none is read: the next
scrubs do that, since none counts as read back. Memory holds a batch of objects, and the names of those not believed.

What only the ledger knew is not invented: files that were held, filtered, gone or refused for their rows are found
again by the runs to come. So the watermarks reach back (docs/decisions/0008).
"""

from __future__ import annotations

import itertools
import json
import logging
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from onc_mirror.errors import ObjectMissingError, SettingsError
from onc_mirror.flow_names import REBUILD
from onc_mirror.layout import Kind, place_of
from onc_mirror.model import ArchiveFile, Decision, Outcome
from onc_mirror.rebuild.testimony import Heard, Stranger, hear_mirrored, hear_quarantined
from onc_mirror.report.tally import MOST_NAMED, Tally
from onc_mirror.retrying import with_retries
from onc_mirror.run.archive_windows import FIRST_WINDOW
from onc_mirror.run.life import begun_run, close_run
from onc_mirror.threads import side_by_side
from onc_mirror.transfer.batch import NoWatcher
from onc_mirror.transfer.quarantining import read_note
from onc_mirror.utc import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Executor
    from datetime import datetime

    from onc_mirror.ledger.restoring import Span
    from onc_mirror.mirror import Mirror
    from onc_mirror.model import StoredObject
    from onc_mirror.report.document import RunReport
    from onc_mirror.run.life import Run
    from onc_mirror.transfer.batch import Watcher

logger = logging.getLogger(__name__)

_BATCH = 1000


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild found in the bucket.

    Attributes:
        counts: Objects by what they are; `strangers` are those not believed.
        strangers: The first of them.
        watermarks: That were set, by device.
        report: The run's report; `already` are the mirrored files.
    """

    counts: Counter[str] = field(default_factory=Counter)
    strangers: list[Stranger] = field(default_factory=list)
    watermarks: Mapping[str, datetime] = field(default_factory=dict)
    report: RunReport | None = None

    @property
    def exit_code(self) -> int:
        """0: all objects are ours; 1: the report is not in the bucket; 3: see what is quarantined or not believed."""
        code = 0 if self.report is None else self.report.exit_code
        return code or (3 if self.strangers else 0)

    def to_json(self) -> str:
        """Return all of it as JSON, in ASCII: the run's report with one more key, `rebuilt`."""
        content: dict[str, Any] = {} if self.report is None else json.loads(self.report.to_json())
        content["rebuilt"] = {
            "objects": dict(sorted(self.counts.items())),
            "strangers": [asdict(one) for one in self.strangers],
            "watermarks": {code: time_text(until) for code, until in sorted(self.watermarks.items())},
        }
        return json.dumps(content, indent=2, allow_nan=False)


def rebuild(mirror: Mirror, *, into_existing: bool = False, watcher: Watcher | None = None) -> Rebuilt:
    """Enter in the ledger what the bucket says.

    Args:
        mirror: The parts; the archive is not asked.
        into_existing: Whether a ledger that is not empty is added to; what it knows stays as it is.
        watcher: Is told how far it is.

    Raises:
        SettingsError: The ledger is not empty.
        MirrorError: The store or the ledger is out of reach; what was entered stays, and the same again goes on.
    """
    if not into_existing and not mirror.ledger.restoration.is_needed():
        raise SettingsError(
            "ONC_MIRROR_LEDGER_URL: this ledger is not empty, so it is not rebuilt. Point it at a new one; or add"
            " what is missing with --into-existing, which changes nothing that it knows."
        )
    with begun_run(mirror, REBUILD) as run:
        rebuilt, tally = Rebuilt(), Tally(most_named=MOST_NAMED)
        with side_by_side(mirror.settings.concurrency, "look") as pool:
            listed = _listed(mirror, rebuilt)
            for batch in iter(lambda: list(itertools.islice(listed, _BATCH)), []):
                _take_batch(mirror, run, batch, rebuilt, tally, watcher or NoWatcher(), pool)
        now = mirror.clock()
        ladder = sum(mirror.settings.hold_delays, timedelta(0))
        spans = mirror.ledger.restoration.spans()
        rebuilt.watermarks = {code: rebuilt_watermark(span, ladder) for code, span in spans.items()}
        mirror.ledger.restoration.restore_watermarks(rebuilt.watermarks, now)
        rebuilt.report = close_run(mirror, run, tally, (None, None))
        return rebuilt


def rebuilt_watermark(span: Span, ladder: timedelta) -> datetime:
    """The archive time up to which a device counts as listed, after its ledger was lost.

    Everything that is in the bucket was archived before; but what was archived shortly before may have been held. So
    it reaches back as long as a file can be held, and not to before the mirror began.

    >>> from datetime import UTC, datetime
    >>> from onc_mirror.ledger.restoring import Span
    >>> day = lambda number: datetime(2026, 11, number, tzinfo=UTC)
    >>> rebuilt_watermark(Span(newest=day(20), first=day(1)), timedelta(days=5)) == day(15)
    True
    >>> rebuilt_watermark(Span(newest=day(20), first=day(20)), timedelta(days=5)).isoformat()
    '2026-11-19T23:00:00+00:00'
    """
    return min(span.newest, max(span.newest - ladder, span.first - FIRST_WINDOW))


def _listed(mirror: Mirror, rebuilt: Rebuilt) -> Iterator[StoredObject]:
    """The objects that say something of a file: first all that are mirrored, then the quarantine."""
    for wanted in (Kind.MIRRORED, Kind.QUARANTINED):
        for stored in mirror.store.list("quarantine/" if wanted is Kind.QUARANTINED else ""):
            place = place_of(stored.key)
            if place is not None and place.kind is wanted:
                yield stored
            elif wanted is Kind.MIRRORED:
                _count_other(stored, rebuilt)


def _count_other(stored: StoredObject, rebuilt: Rebuilt) -> None:
    place = place_of(stored.key)
    if place is None:
        _leave(Stranger(stored.key, "The mirror makes no such key."), rebuilt)
    elif place.kind in {Kind.SUPERSEDED, Kind.REPORT}:
        rebuilt.counts[str(place.kind)] += 1


def _leave(stranger: Stranger, rebuilt: Rebuilt) -> None:
    rebuilt.counts["strangers"] += 1
    if len(rebuilt.strangers) < MOST_NAMED:
        rebuilt.strangers.append(stranger)
    logger.warning("key=%s decision=not-believed detail=%r", stranger.key, stranger.why)


def _take_batch(  # noqa: PLR0913, PLR0917 - what a batch is taken from and into
    mirror: Mirror,
    run: Run,
    batch: list[StoredObject],
    rebuilt: Rebuilt,
    tally: Tally,
    watcher: Watcher,
    pool: Executor,
) -> None:
    watcher.planned(len(batch), 0)
    delays = mirror.settings.retry_delays_s
    heard = pool.map(lambda one: with_retries(lambda: _hear(mirror, one), delays), batch)
    believed: list[Heard] = []
    for one in heard:
        if isinstance(one, Stranger):
            _leave(one, rebuilt)
        elif one is None:
            rebuilt.counts["damaged"] += 1
        else:
            rebuilt.counts[str(one.outcome.decision)] += 1
            believed.append(one)
        watcher.concluded(Outcome(ArchiveFile("", ""), Decision.ALREADY))
    believed.sort(key=lambda one: one.moment)
    mirror.ledger.restoration.restore(((one.outcome, one.moment) for one in believed), run.run_id)
    tally.add(_ends(believed))
    logger.info("objects=%d", rebuilt.counts.total())


def _hear(mirror: Mirror, listed: StoredObject) -> Heard | Stranger | None:
    stored = mirror.store.head(listed.key)
    if stored is None:
        return Stranger(listed.key, "It was there a moment ago.")
    place = place_of(stored.key)
    if place is not None and place.kind is Kind.QUARANTINED:
        return hear_quarantined(stored, _note(mirror, stored.key))
    return hear_mirrored(stored)


def _note(mirror: Mirror, key: str) -> bytes | None:
    try:
        return read_note(mirror.store, key)
    except ObjectMissingError:
        return None


def _ends(believed: Iterable[Heard]) -> Iterator[Outcome]:
    """What the report says of them: nothing was transferred."""
    for one in believed:
        if one.outcome.decision is Decision.MIRRORED:
            yield Outcome(ArchiveFile("", one.outcome.file.device_code), Decision.ALREADY)
        else:
            yield Outcome(one.outcome.file, Decision.QUARANTINED, one.outcome.reason, one.outcome.detail)
