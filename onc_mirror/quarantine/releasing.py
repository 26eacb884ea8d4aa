"""Releasing quarantined bytes: an operator says that they will do, and they are proven and published after all.

Guarantees: a file is released only when its quarantined bytes pass the grade that is asked for now, and then the
object says that an operator released it, and which grade it passed; nothing under `quarantine/` is changed or
deleted; a file that a run works on is left to that run. Where a release is killed nothing is lost: the file is
quarantined as before, and releasing it again goes on from there.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from onc_mirror.changes import content_of
from onc_mirror.errors import ClaimLostError, MirrorError, ObjectMissingError, WrongSizeError
from onc_mirror.flow_names import RELEASE
from onc_mirror.model import Decision, Outcome, Verdict
from onc_mirror.provenance import is_of_row, reachable_grade
from onc_mirror.reading import read_into
from onc_mirror.retrying import with_retries
from onc_mirror.run.gathering import Gathered
from onc_mirror.run.life import begun_run, finish_run
from onc_mirror.transfer.fencing import claim_lost, fenced
from onc_mirror.transfer.one_file import failed, publish_file, retire_former

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onc_mirror.ledger import Dossier
    from onc_mirror.mirror import Mirror
    from onc_mirror.model import ArchiveFile, Fetched, Grade
    from onc_mirror.report.document import RunReport
    from onc_mirror.run.life import Run

logger = logging.getLogger(__name__)

ALTERED = "altered-copy"
"""Reason for not releasing bytes: they are not those that were put into quarantine, or not there at all."""

OUTDATED = "outdated-copy"
"""Reason for not releasing bytes: the archive has another file under the name by now."""


def release(mirror: Mirror, dossiers: Sequence[Dossier], grade: Grade) -> RunReport:
    """Prove quarantined bytes once more, and publish those that pass.

    Args:
        mirror: The parts; the archive is not asked.
        dossiers: The files, each as `check_release` lets it pass.
        grade: How far they must be proven, as far as the format has grades.

    Returns:
        The report of a run of its own. What did not pass is quarantined as before, with what speaks against it now;
        what another run works on is held there; what met an error failed, and is quarantined as before.
    """
    with begun_run(mirror, RELEASE) as run:
        now = mirror.clock()
        claimed = mirror.ledger.leases.claim(
            [(dossier.file, dossier.revision) for dossier in dossiers],
            owner=run.run_id,
            until=now + mirror.settings.lease,
            now=now,
        )
        mine = set(claimed.mine)
        outcomes = [
            _release(mirror, run, dossier, grade) if dossier.file in mine else _left_alone(dossier)
            for dossier in dossiers
        ]
        return finish_run(mirror, run, Gathered(), outcomes)


def _left_alone(dossier: Dossier) -> Outcome:
    detail = "A run works on it, or has just done so. Look at it again with 'onc-mirror quarantine show'."
    return Outcome(dossier.file, Decision.HELD, reason=ClaimLostError.reason, detail=detail)


def _release(mirror: Mirror, run: Run, dossier: Dossier, grade: Grade) -> Outcome:
    file = dossier.file
    try:
        behind = fenced(mirror, file, run.run_id)
        outcome = _prove_and_publish(behind, dossier, grade)
        if outcome.decision is Decision.MIRRORED:
            outcome = retire_former(behind, outcome)
            if not mirror.ledger.record(outcome, run_id=run.run_id, now=mirror.clock(), claimed=True):
                outcome = failed(file, claim_lost(file))
    except MirrorError as error:
        outcome = failed(file, error)
    logger.info(
        "file=%s device=%s decision=%s reason=%s grade=%s",
        file.filename,
        file.device_code,
        outcome.decision,
        outcome.reason or "-",
        outcome.grade or "-",
    )
    return outcome


def _prove_and_publish(mirror: Mirror, dossier: Dossier, grade: Grade) -> Outcome:
    file, key, delays = dossier.file, dossier.quarantine_key or "", mirror.settings.retry_delays_s
    stored = with_retries(lambda: mirror.store.head(key), delays)
    if stored is None:
        return _kept(
            dossier, ALTERED, f"There is no object {key} any more; 'quarantine retry' fetches the file again."
        )
    if not is_of_row(stored, file):
        detail = "The archive has replaced the file since; the next run fetches what it has now."
        return _kept(dossier, OUTDATED, detail)
    with mirror.scratch.slot(stored.size_bytes) as folder:
        fetched = with_retries(lambda: read_into(mirror.store, key, folder / "quarantined"), delays)
        if fetched is None:
            raise ObjectMissingError("It was there a moment ago.", subject=key)
        if fetched.sha256 != dossier.quarantine_sha256:
            return _kept(dossier, ALTERED, f"{key} is not what was put there: its SHA-256 is {fetched.sha256}.")
        verdict = _prove(mirror, file, fetched, grade)
        if not verdict.passed:
            return _kept(dossier, verdict.reason or "", verdict.detail)
        published = with_retries(lambda: publish_file(mirror, file, fetched, verdict, released=True), delays)
    released = (
        f"Released by an operator, proven to the grade {verdict.grade}; it was quarantined for {dossier.reason}."
    )
    kept = f" The copy it replaces is kept as {published.kept_key}." if published.kept_key else ""
    return Outcome(
        file,
        Decision.MIRRORED,
        detail=released + kept,
        key=published.key,
        size_bytes=fetched.size_bytes,
        sha256=fetched.sha256,
        grade=verdict.grade,
        content=content_of(file, fetched, verdict),
    )


def _prove(mirror: Mirror, file: ArchiveFile, fetched: Fetched, grade: Grade) -> Verdict:
    if file.expected_bytes not in {None, fetched.size_bytes}:
        detail = f"It has {fetched.size_bytes} bytes, and the archive lists {file.expected_bytes}."
        return Verdict(None, WrongSizeError.reason, detail)
    verdict = mirror.validator.validate(fetched.path, file.filename, reachable_grade(file, grade))
    if verdict.passed:
        return verdict
    passes = f"it passes {verdict.grade}" if verdict.grade else "it passes none"
    return replace(verdict, detail=f"Not of the grade {grade}; {passes}. {verdict.detail}")


def _kept(dossier: Dossier, reason: str, detail: str) -> Outcome:
    """The outcome of a file that stays in quarantine: the ledger is not told, as nothing changed."""
    return Outcome(dossier.file, Decision.QUARANTINED, reason=reason, detail=detail, key=dossier.quarantine_key)
