"""One archive file, from the archive to its end: mirrored, held, quarantined, gone or failed.

`mirror_file` is the story of a file. It calls three steps (download, validate, publish) through `Steps`, so that
a run in its own process and an orchestrated run tell the same story with their own retry policy around each step.

Guarantees: an object under its final key has passed its grade; a proven copy that the archive has since replaced
is kept under `superseded/` and nowhere else, and damaged bytes under `quarantine/` before they are replaced; no
failure of one file leaves this module as an exception, but for what is wrong with the mirror itself; scratch is
clean afterwards.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from onc_mirror.archive.vanishing import UnlistedError, has_vanished, worth_waiting
from onc_mirror.changes import content_of, what_changed
from onc_mirror.errors import ClaimLostError, MirrorError, NotReadyError, UnsafeNameError
from onc_mirror.layout import mirrored_key
from onc_mirror.metrics.meter import Stage
from onc_mirror.model import ArchiveFile, Decision, Grade, Outcome
from onc_mirror.provenance import holds, object_metadata, reachable_grade
from onc_mirror.transfer import downloading
from onc_mirror.transfer.attempts import is_last_try
from onc_mirror.transfer.quarantining import quarantine
from onc_mirror.transfer.repairing import is_rotten, keep_damaged
from onc_mirror.transfer.superseding import keep_rival, retire
from onc_mirror.validation import OF_THE_PROCESS, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from onc_mirror.mirror import Mirror
    from onc_mirror.model import Fetched, ProvenObject, Verdict

logger = logging.getLogger(__name__)

TRANSPORT_DAMAGE = "transport-damage"
"""Reason for holding a file of which two downloads gave different bad bytes."""

# Waiting is the right answer to these; they are no failure of the run.
_HOLDING_REASONS = frozenset({Reason.STILL_OPEN, Reason.STILL_OPEN_SWMR})
_ENDS: Mapping[type[MirrorError], Decision] = {UnsafeNameError: Decision.QUARANTINED, ClaimLostError: Decision.HELD}


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication has left in the store.

    Attributes:
        key: Where the bytes are.
        kept_key: Where the copy is that was under this key before; None when there was none.
    """

    key: str
    kept_key: str | None = None


class Steps(Protocol):
    """The three steps with a retry policy around each."""

    def download(self, mirror: Mirror, file: ArchiveFile, folder: Path) -> Fetched:
        """See `download_file`."""

    def validate(self, mirror: Mirror, file: ArchiveFile, fetched: Fetched) -> Verdict:
        """See `validate_file`."""

    def publish(self, mirror: Mirror, file: ArchiveFile, fetched: Fetched, verdict: Verdict) -> Published:
        """See `publish_file`."""


@dataclass(frozen=True, slots=True)
class RetriedSteps:
    """The steps for a run without an orchestrator.

    Attributes:
        progress: Called with the bytes received since its last call; negative when a download starts over.
    """

    progress: Callable[[int], None] | None = None

    def download(self, mirror: Mirror, file: ArchiveFile, folder: Path) -> Fetched:
        """Download with the slow retries of the settings."""
        return mirror.retried(lambda: download_file(mirror, file, folder, progress=self.progress))

    def validate(self, mirror: Mirror, file: ArchiveFile, fetched: Fetched) -> Verdict:
        """Validate once: the same bytes give the same verdict."""
        return validate_file(mirror, file, fetched)

    def publish(self, mirror: Mirror, file: ArchiveFile, fetched: Fetched, verdict: Verdict) -> Published:
        """Publish with the slow retries of the settings."""
        return mirror.retried(lambda: publish_file(mirror, file, fetched, verdict))


def mirror_file(mirror: Mirror, file: ArchiveFile, steps: Steps) -> Outcome:
    """Bring one file to its end.

    Bytes that fail validation are downloaded a second time at once: the same bytes again are the archive's own and go
    to quarantine; others tell of damage on the way. What validation processes die of is held until the last try.

    Returns:
        The outcome; never `FETCH`, `ALREADY` only when the bucket held this very row, proven, already.
    """
    try:
        kept_key = keep_damaged(mirror, file)
        outcome = _adopt(mirror, file) or _transfer(mirror, file, steps)
        if outcome.decision in {Decision.MIRRORED, Decision.ALREADY}:
            outcome = retire_former(mirror, outcome)
            mirror.patience.renew()
        if kept_key is not None:
            outcome = replace(outcome, detail=f"{outcome.detail} Damaged bytes are kept as {kept_key}.".lstrip())
    except (NotReadyError, UnlistedError) as error:
        outcome = _not_handed_out(mirror, file, error)
    except MirrorError as error:
        mirror.patience.end(error)
        outcome = failed(file, error)
    level = logging.WARNING if outcome.reason else logging.INFO
    logger.log(
        level,
        "file=%s device=%s decision=%s reason=%s bytes=%d detail=%r",
        file.filename,
        file.device_code,
        outcome.decision,
        outcome.reason or "-",
        outcome.size_bytes,
        outcome.detail,
    )
    return outcome


def download_file(
    mirror: Mirror, file: ArchiveFile, folder: Path, *, progress: Callable[[int], None] | None = None
) -> Fetched:
    """Download into `folder`. See `downloading.download` for guarantees and errors.

    Raises:
        UnlistedError: The archive does not hand it out, and does not list it any more.
    """
    budget = mirror.settings.scratch_budget
    try:
        with mirror.meter.timing(Stage.DOWNLOAD):
            return downloading.download(mirror.archive, file, folder, progress=progress, most_bytes=budget)
    except NotReadyError as error:
        refusal = error
    raise worth_waiting(mirror.archive, file, refusal)


def validate_file(mirror: Mirror, file: ArchiveFile, fetched: Fetched) -> Verdict:
    """Prove the downloaded bytes to the grade of the settings, as far as the format has one."""
    with mirror.meter.timing(Stage.VALIDATE):
        return mirror.validator.validate(fetched.path, file.filename, reachable_grade(file, mirror.settings.grade))


def publish_file(
    mirror: Mirror, file: ArchiveFile, fetched: Fetched, verdict: Verdict, *, released: bool = False
) -> Published:
    """Put the bytes where the verdict says they belong.

    Bytes that passed go under their final key; a different copy that was there is first kept under `superseded/`.
    Bytes that failed go to `quarantine/` with their reason and the archive row beside them. Done twice it leaves
    the same objects. `released` says that an operator took the bytes out of quarantine.

    Raises:
        MirrorError: The store did not take them.
    """
    metadata = object_metadata(file, verdict, now=mirror.clock(), released=released)
    with mirror.meter.timing(Stage.PUBLISH):
        if not verdict.passed:
            return Published(quarantine(mirror.store, file, fetched, verdict, metadata, found=dict(verdict.found)))
        key = mirrored_key(file, mirror.settings.layout)
        kept_key = None
        if not _holds_rot(mirror, file, key):
            kept_key = keep_rival(mirror.store, file, key, fetched.sha256)
        return Published(mirror.store.publish(key, fetched, metadata).key, kept_key)


def failed(file: ArchiveFile, error: MirrorError) -> Outcome:
    """The outcome of a file whose steps ended in `error`."""
    decision = _ENDS.get(type(error), Decision.FAILED)
    return Outcome(file, decision, error.reason, str(error), blames_file=error.blames_file)


def _adopt(mirror: Mirror, file: ArchiveFile) -> Outcome | None:
    key = mirrored_key(file, mirror.settings.layout)
    stored = mirror.retried(lambda: mirror.store.head(key) if mirror.presence.may_hold(key) else None)
    if stored is None or not holds(stored, file, mirror.settings.grade):
        return None
    known = mirror.ledger.proven_object(file)
    if is_rotten(known, stored):
        return None
    if known is not None and known.key == key and known.sha256 != stored.metadata["sha256"]:
        return None  # two proofs of other bytes in one place: only the archive can tell which is right
    return Outcome(
        file,
        Decision.ALREADY,
        key=key,
        sha256=stored.metadata["sha256"],
        grade=Grade(stored.metadata["grade"]),
        detail="The bucket held it already.",
    )


def _holds_rot(mirror: Mirror, file: ArchiveFile, key: str) -> bool:
    """Whether what is under `key` are damaged bytes that `keep_damaged` has kept."""
    known = mirror.ledger.proven_object(file)
    return known is not None and known.damaged and is_rotten(known, mirror.store.head(key))


def _transfer(mirror: Mirror, file: ArchiveFile, steps: Steps) -> Outcome:
    with mirror.scratch.slot(file.expected_bytes) as folder:
        fetched = steps.download(mirror, file, folder)
        verdict = steps.validate(mirror, file, fetched)
        says_nothing = verdict.reason in OF_THE_PROCESS
        if verdict.reason in _HOLDING_REASONS or (says_nothing and not is_last_try(mirror, file)):
            return Outcome(file, Decision.HELD, reason=str(verdict.reason), detail=verdict.detail)
        if not verdict.passed and not says_nothing:
            bad = fetched
            bad.path.unlink(missing_ok=True)  # scratch was reserved for one copy
            fetched = steps.download(mirror, file, folder)
            if fetched.sha256 != bad.sha256:
                verdict = _after_damage(steps.validate(mirror, file, fetched))
                if not verdict.passed:
                    return Outcome(file, Decision.HELD, reason=TRANSPORT_DAMAGE, detail=verdict.detail)
        published = steps.publish(mirror, file, fetched, verdict)
    return Outcome(
        file,
        Decision.MIRRORED if verdict.passed else Decision.QUARANTINED,
        reason=verdict.reason or "",
        detail=_with_kept(verdict.detail, published.kept_key),
        key=published.key,
        size_bytes=fetched.size_bytes,
        sha256=fetched.sha256,
        grade=verdict.grade,
        content=content_of(file, fetched, verdict) if verdict.passed else None,
    )


def _after_damage(verdict: Verdict) -> Verdict:
    """The verdict on a second copy that is not the first, bad one: the way here damages what it carries."""
    told = "A first copy was damaged on its way from the archive"
    second = (
        "this one is proven." if verdict.passed else f"a second one, with other bytes, is bad too: {verdict.detail}"
    )
    return replace(verdict, detail=f"{told}; {second}")


def retire_former(mirror: Mirror, outcome: Outcome) -> Outcome:
    """Move the copy that the ledger still knows under another key out of the way of its successor."""
    former = mirror.ledger.proven_object(outcome.file)
    if former is None:
        return outcome
    outcome = _with_changes(outcome, former)
    if former.key == outcome.key:
        return outcome
    if mirror.retried(lambda: _holds_rot(mirror, outcome.file, former.key)):
        mirror.retried(lambda: mirror.store.delete(former.key))  # its bytes are in quarantine
        return outcome
    kept_key = mirror.retried(lambda: retire(mirror.store, outcome.file, former))
    return replace(outcome, detail=_with_kept(outcome.detail, kept_key))


def _with_changes(outcome: Outcome, former: ProvenObject) -> Outcome:
    """Say what the archive changed, where both contents are known and not the same bytes."""
    if former.content is None or outcome.content is None or former.sha256 == outcome.sha256:
        return outcome
    return replace(outcome, detail=f"{what_changed(former.content, outcome.content)} {outcome.detail}".rstrip())


def _with_kept(detail: str, kept_key: str | None) -> str:
    return f"{detail} The copy it replaces is kept as {kept_key}.".lstrip() if kept_key else detail


def _not_handed_out(mirror: Mirror, file: ArchiveFile, error: MirrorError) -> Outcome:
    """Tell "listed but not ready" from "gone since": only the archive's listings of this moment know."""
    try:
        gone = mirror.retried(lambda: has_vanished(mirror.archive, file, mirror.clock()))
    except MirrorError as unsure:
        return failed(file, unsure)
    if not gone:
        return Outcome(file, Decision.HELD, reason=error.reason, detail=f"{error} It will be tried again.")
    return Outcome(
        file,
        Decision.GONE,
        reason="vanished",
        detail="The archive listed it a moment ago; now it lists others of the device, and not this one.",
    )
