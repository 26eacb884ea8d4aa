"""Reading stored objects back, many side by side in bounded memory, and holding each against what was proven.

Guarantees: what does not match is read once more, by what the ledger says then, before it is called missing or
damaged; what matches is noted in the ledger at once, so that a run that is killed has not read in vain; an object
that the store does not hand out is no damage, and nothing is noted of it; a store that hands out nothing ends the
reading.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onc_mirror.errors import MirrorError, ObjectMissingError
from onc_mirror.model import DAMAGED_OBJECT, MISSING_OBJECT, ArchiveFile, Decision, Outcome
from onc_mirror.reading import measure
from onc_mirror.retrying import with_retries
from onc_mirror.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onc_mirror.ledger.readings import KnownFile, ProvenBytes
    from onc_mirror.mirror import Mirror
    from onc_mirror.transfer.batch import Watcher

logger = logging.getLogger(__name__)

_DAMAGE = frozenset({MISSING_OBJECT, DAMAGED_OBJECT})

# So many objects one after the other that the store does not hand out are the store's own trouble.
_MOST_REFUSED = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """An object that is not what was proven, or cannot be read.

    Attributes:
        known: What the ledger says of its file.
        reason: `missing-object`, `damaged-object`, or why it cannot be read.
        detail: One sentence for people.
    """

    known: KnownFile
    reason: str
    detail: str

    @property
    def is_damage(self) -> bool:
        """Whether it is missing or damaged, and not merely out of reach."""
        return self.reason in _DAMAGE


@dataclass(slots=True)
class Reading:
    """What reading objects came to. Filled by several threads.

    Attributes:
        proven: Objects that are what was proven, by device.
        bytes: That came in.
        findings: The others.
        broke_off: Why the reading ended before its end; None when it did not.
    """

    proven: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)
    broke_off: MirrorError | None = None

    @property
    def objects(self) -> int:
        """How many were read, or tried."""
        return self.proven.total() + len(self.findings)


class _Reader:
    """Reads one object after the other from a queue that several threads share."""

    def __init__(self, mirror: Mirror, objects: Sequence[ProvenBytes], watcher: Watcher) -> None:
        self.reading = Reading()
        self._mirror = mirror
        self._left = deque(objects)
        self._watcher = watcher
        self._lock = threading.Lock()
        self._refused = 0

    def work(self) -> None:
        while self.reading.broke_off is None:
            try:
                one = self._left.popleft()
            except IndexError:
                return
            try:
                finding = self._read(one)
            except MirrorError as error:
                self._take_failure(one, error)
            else:
                self._take(one, finding)

    def _take(self, one: ProvenBytes, finding: Finding | None) -> None:
        with self._lock:
            self._refused = 0
            if finding is None:
                self.reading.proven[one.device_code] += 1
            else:
                self.reading.findings.append(finding)
        self._watcher.concluded(Outcome(ArchiveFile("", one.device_code), Decision.ALREADY))

    def _take_failure(self, one: ProvenBytes, error: MirrorError) -> None:
        """Tell one object that is out of reach from a store, or a ledger, that is."""
        try:
            self._mirror.store.look()
            known = self._mirror.ledger.readings.look_up(one)
        except MirrorError as cause:
            self.reading.broke_off = cause
            return
        logger.error("key=%s reason=%s detail=%r", one.key, error.reason, str(error))
        with self._lock:
            self._refused += 1
            if known is not None:
                self.reading.findings.append(Finding(known, error.reason, str(error)))
            if self._refused >= _MOST_REFUSED:
                self.reading.broke_off = error

    def _read(self, one: ProvenBytes) -> Finding | None:
        first = self._measure(one)
        if first == one.sha256:
            self._mirror.ledger.readings.note_proven([one], self._mirror.clock())
            return None
        known = self._mirror.ledger.readings.look_up(one)
        if known is None or known.object is None:
            return None
        second = self._measure(known.object)
        if second == known.object.sha256:
            logger.warning("key=%s decision=proven detail=%r", known.object.key, "Read well the second time.")
            self._mirror.ledger.readings.note_proven([known.object], self._mirror.clock())
            return None
        reason = MISSING_OBJECT if second is None else DAMAGED_OBJECT
        detail = _describe(known.object, first, second)
        logger.warning("key=%s reason=%s detail=%r", known.object.key, reason, detail)
        return Finding(known, reason, detail)

    def _measure(self, one: ProvenBytes) -> str | None:
        """The SHA-256 of an object's bytes, None when there is no object."""
        try:
            return with_retries(lambda: self._measure_once(one), self._mirror.settings.retry_delays_s)
        except ObjectMissingError:
            return None

    def _measure_once(self, one: ProvenBytes) -> str:
        came = 0

        def progress(size: int) -> None:
            nonlocal came
            came += size
            self._watcher.advanced(size)

        try:
            return measure(self._mirror.store, one.key, progress)
        except MirrorError:
            self._watcher.advanced(-came)
            raise
        finally:
            with self._lock:
                self.reading.bytes += came


def read_objects(mirror: Mirror, objects: Sequence[ProvenBytes], watcher: Watcher) -> Reading:
    """Read objects back, as many at once as the settings have transfers."""
    watcher.planned(len(objects), sum(one.size_bytes for one in objects))
    reader = _Reader(mirror, objects, watcher)
    with side_by_side(mirror.settings.concurrency, "read") as pool:
        for done in [pool.submit(reader.work) for _ in range(mirror.settings.concurrency)]:
            done.result()
    return reader.reading


def _describe(one: ProvenBytes, first: str | None, second: str | None) -> str:
    if second is None:
        return f"There is no object {one.key} any more."
    found = second[:8] if first in {None, second} else f"{str(first)[:8]} and then {second[:8]}"
    return f"The object {one.key} was read twice: it has SHA-256 {found}, and was proven with {one.sha256[:8]}."
