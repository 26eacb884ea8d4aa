"""Scrub: stored objects are read back and held against what was proven, and what is damaged is fetched again.

`scrub` runs it in this process. An orchestrated flow calls the same functions in the same order with its own tasks
around them, and ends in the same report.

Guarantees: every object is read once soon after its upload, and again within the days of the settings as far as the
budget reaches, which is said when it does not; damage is mended as `repairing` has it, so that the next hourly run
ends what a killed scrub began; what cannot be mended fails the run, by name; a store that is down marks nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from onc_mirror.errors import ClaimLostError
from onc_mirror.flow_names import SCRUB
from onc_mirror.guard import UNLIKELY, is_unlikely
from onc_mirror.model import ArchiveFile, Decision, Outcome, State
from onc_mirror.report.document import NO_DEVICE, DeviceError
from onc_mirror.report.tally import Tally
from onc_mirror.retrying import with_retries
from onc_mirror.run.life import begun_run, close_run
from onc_mirror.scrub.findings import Scrubbed, lost_error, other_content_error
from onc_mirror.scrub.leftovers import abort_stale_uploads
from onc_mirror.scrub.rereading import read_objects
from onc_mirror.scrub.share import due_before, share_of, taking
from onc_mirror.transfer.batch import NoWatcher, transfer_files
from onc_mirror.transfer.repairing import noted_damage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onc_mirror.ledger.readings import KnownFile, ProvenBytes, Stock
    from onc_mirror.mirror import Mirror
    from onc_mirror.run.life import Run
    from onc_mirror.scrub.leftovers import Leftovers
    from onc_mirror.scrub.rereading import Finding, Reading
    from onc_mirror.scrub.share import Share
    from onc_mirror.transfer.batch import Watcher

logger = logging.getLogger(__name__)

MOST_OBJECTS = 100_000
"""That one run reads, whatever their size: they are chosen before the first is read, and memory holds their names."""


@dataclass(frozen=True, slots=True)
class ScrubRequest:
    """What one scrub is asked to do.

    Attributes:
        devices: Device codes; empty means all.
        budget_bytes: The most it may read; None: as the settings say.
        force: Repair also so much damage that it looks like an accident with the whole bucket.
    """

    devices: tuple[str, ...] = ()
    budget_bytes: int | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """What one run is to read.

    Attributes:
        objects: In the order in which they are read.
        stock: What there is.
        share: How much of it this run is to read.
    """

    objects: Sequence[ProvenBytes]
    stock: Stock
    share: Share


@dataclass(slots=True)
class Repair:
    """What is done about damage.

    Attributes:
        findings: What is to be fetched again, by the file's device and name.
        ends: The ends of damaged files that this run leaves alone, and of objects that could not be read.
        errors: What is wrong with the run itself, and files that are lost.
    """

    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    ends: list[Outcome] = field(default_factory=list)
    errors: list[DeviceError] = field(default_factory=list)

    @property
    def files(self) -> tuple[ArchiveFile, ...]:
        """What is to be fetched again."""
        return tuple(finding.known.file for finding in self.findings.values())


def scrub(mirror: Mirror, request: ScrubRequest, watcher: Watcher | None = None) -> Scrubbed:
    """Read the run's share back, and mend what is damaged, in this process.

    Raises:
        MirrorError: The store or the ledger is out of reach; nothing is marked.
    """
    watching = watcher or NoWatcher()
    delays = mirror.settings.retry_delays_s
    with begun_run(mirror, SCRUB) as run:
        chosen = with_retries(lambda: choose_objects(mirror, run, request), delays)
        leftovers = abort_stale_uploads(mirror)
        reading = read_objects(mirror, chosen.objects, watching)
        repair = prepare_repair(mirror, run, reading, force=request.force)
        ends = transfer_files(mirror, run, repair.files, watching)
        return finish_scrub(mirror, run, chosen, leftovers, reading, repair, ends)


def choose_objects(mirror: Mirror, run: Run, request: ScrubRequest) -> Chosen:
    """Choose what this run reads, once the bucket is seen to be there.

    Raises:
        MirrorError: The store is not there or closed, or the ledger is out of reach.
    """
    mirror.store.look()
    days, budget = mirror.settings.scrub_days, request.budget_bytes or mirror.settings.scrub_budget
    stock = mirror.ledger.readings.stock(due_before(run.began_at, days), request.devices)
    share = share_of(stock, days=days, budget_bytes=budget)
    objects = mirror.ledger.readings.take(taking(share), request.devices, limit=MOST_OBJECTS)
    logger.info("objects=%d of=%d bytes_to_read=%d", len(objects), stock.objects, share.bytes)
    if share.shortage:
        logger.warning("budget=short detail=%r", share.shortage)
    return Chosen(objects, stock, share)


def prepare_repair(mirror: Mirror, run: Run, reading: Reading, *, force: bool) -> Repair:
    """Enter damage in the ledger and claim the files for this run alone; nothing of that when the guard stops it."""
    repair = Repair()
    if reading.broke_off is not None:
        repair.errors.append(DeviceError(NO_DEVICE, reading.broke_off.reason, _broke_off(reading)))
    damaged = [finding for finding in reading.findings if finding.is_damage]
    repair.ends += [_left(finding) for finding in reading.findings if not finding.is_damage]
    if is_unlikely(len(damaged), reading.objects) and not force:
        repair.errors.append(DeviceError(NO_DEVICE, UNLIKELY, _unlikely(len(damaged), reading.objects)))
        repair.ends += [_left(finding) for finding in damaged]
        return repair
    due = []
    for finding in damaged:
        if _waits(finding.known, run):
            repair.ends.append(_waiting(finding.known))
        else:
            due.append(finding)
    _claim(mirror, run, due, repair)
    return repair


def finish_scrub(  # noqa: PLR0913, PLR0917 - what the steps came to, in their order
    mirror: Mirror,
    run: Run,
    chosen: Chosen,
    leftovers: Leftovers,
    reading: Reading,
    repair: Repair,
    ends: Iterable[Outcome],
) -> Scrubbed:
    """Judge the repairs, and end the run."""
    tally = Tally()
    tally.add(repair.ends)
    tally.fail(*repair.errors)
    for end in ends:
        finding = repair.findings[end.file.device_code, end.file.filename]
        tally.add([replace(end, detail=f"{finding.detail} {end.detail}".rstrip())])
        if error := _loss(finding, end):
            logger.error("file=%s reason=%s detail=%r", end.file.filename, error.reason, error.detail)
            tally.fail(error)
    for device_code, number in reading.proven.items():
        tally.add([Outcome(ArchiveFile("", device_code), Decision.ALREADY)] * number)
    report = close_run(mirror, run, tally, (None, None))
    return Scrubbed(
        report=report, read_bytes=reading.bytes, stock=chosen.stock, share=chosen.share, leftovers=leftovers
    )


def _claim(mirror: Mirror, run: Run, due: Sequence[Finding], repair: Repair) -> None:
    held = [noted_damage(finding.known.file, finding.reason, finding.detail) for finding in due]
    mirror.ledger.record_many(held, run_id=run.run_id, now=mirror.clock())
    found = {(finding.known.file.device_code, finding.known.file.filename): finding for finding in due}
    known = (mirror.ledger.readings.look_up(finding.known.object) for finding in due if finding.known.object)
    wanted = [(one.file, one.revision) for one in known if one is not None]
    now = mirror.clock()
    claimed = mirror.ledger.leases.claim(wanted, owner=run.run_id, until=now + mirror.settings.lease, now=now)
    for file in claimed.mine:
        repair.findings[file.device_code, file.filename] = found[file.device_code, file.filename]
    repair.ends += [
        Outcome(file, Decision.HELD, ClaimLostError.reason, "Another run is mending it.")
        for file in (*claimed.elsewhere, *claimed.changed)
    ]


def _loss(finding: Finding, end: Outcome) -> DeviceError | None:
    """Say what was lost for good, if anything."""
    proven = finding.known.object
    if end.decision is Decision.GONE:
        return lost_error(end, finding.detail)
    if end.sha256 is not None and proven is not None and end.sha256 != proven.sha256:
        return other_content_error(end, finding.detail)
    return None


def _waits(known: KnownFile, run: Run) -> bool:
    return known.state is State.HELD and known.next_try_at is not None and known.next_try_at > run.began_at


def _waiting(known: KnownFile) -> Outcome:
    return Outcome(known.file, Decision.HELD, known.reason, known.detail, next_try_at=known.next_try_at)


def _left(finding: Finding) -> Outcome:
    return Outcome(finding.known.file, Decision.FAILED, finding.reason, finding.detail, blames_file=False)


def _broke_off(reading: Reading) -> str:
    told = f"The scrub broke off after {reading.objects} objects, and the next one goes on from there."
    return f"{told} {reading.broke_off}"


def _unlikely(damaged: int, read: int) -> str:
    return (
        f"{damaged} of {read} objects are missing or damaged. That is too many to be single accidents, so nothing was"
        " fetched. Look whether ONC_MIRROR_STORE_URL and ONC_MIRROR_LEDGER_URL are as they were. If they are, repair"
        " with onc-mirror scrub --force."
    )
