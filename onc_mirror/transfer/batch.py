"""The transfers of a run: many files side by side, each end recorded as soon as it is known, somebody watching."""

from __future__ import annotations

import logging
from concurrent.futures import as_completed
from typing import TYPE_CHECKING, Protocol

from onc_mirror.errors import ClaimLostError, MirrorError
from onc_mirror.faults import named
from onc_mirror.threads import side_by_side
from onc_mirror.transfer.attempts import climbed
from onc_mirror.transfer.fencing import claim_lost, confirm_claim, fenced
from onc_mirror.transfer.one_file import RetriedSteps, failed, mirror_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onc_mirror.mirror import Mirror
    from onc_mirror.model import ArchiveFile, Outcome
    from onc_mirror.run.life import Run
    from onc_mirror.transfer.one_file import Steps

logger = logging.getLogger(__name__)


class Watcher(Protocol):
    """Somebody who wants to see a run's progress. Called from several threads."""

    def asked(self, devices: int) -> None:
        """So many devices are about to be asked for."""

    def planned(self, files: int, size_bytes: int) -> None:
        """So many files and bytes more are about to be transferred."""

    def advanced(self, size_bytes: int) -> None:
        """So many bytes more came in; negative when a download starts over."""

    def concluded(self, outcome: Outcome) -> None:
        """A file came to its end."""


class NoWatcher:
    """Nobody watches."""

    def asked(self, devices: int) -> None:
        """Do nothing."""

    def planned(self, files: int, size_bytes: int) -> None:
        """Do nothing."""

    def advanced(self, size_bytes: int) -> None:
        """Do nothing."""

    def concluded(self, outcome: Outcome) -> None:
        """Do nothing."""


def transfer_files(
    mirror: Mirror, run: Run, files: Sequence[ArchiveFile], watcher: Watcher, *, threads: int | None = None
) -> list[Outcome]:
    """Transfer files, a bounded number at a time; each outcome is recorded at once.

    Args:
        mirror: The parts.
        run: The run.
        files: What to transfer.
        watcher: Is told.
        threads: How many at a time; None: as the settings say.
    """
    mirror = mirror.with_new_patience()
    watcher.planned(len(files), sum(file.expected_bytes or 0 for file in files))
    steps = RetriedSteps(watcher.advanced)
    outcomes = []
    with side_by_side(threads or mirror.settings.concurrency, "transfer") as pool:
        for future in as_completed([pool.submit(conclude, mirror, run, file, steps) for file in files]):
            outcomes.append(future.result())
            watcher.concluded(outcomes[-1])
    return outcomes


def conclude(mirror: Mirror, run: Run, file: ArchiveFile, steps: Steps) -> Outcome:
    """Bring one file to its end and enter that in the ledger, with the moment of its next try if it needs one.

    The run must have claimed the file. One that it loses meanwhile is held, `claimed-elsewhere`, and what the ledger
    knows of it stays as it is.
    """
    try:
        outcome = _bring_to_its_end(mirror, run, file, steps)
    except Exception as error:  # a fault of ours with one file must not cost the others
        logger.exception("file=%s device=%s decision=failed", file.filename, file.device_code)
        outcome = failed(file, named(error))
    now = mirror.clock()
    outcome = climbed(mirror, outcome, now)
    if outcome.reason != ClaimLostError.reason and mirror.ledger.record(
        outcome, run_id=run.run_id, now=now, claimed=True
    ):
        mirror.meter.ended(outcome)
        return outcome
    return failed(file, claim_lost(file))


def _bring_to_its_end(mirror: Mirror, run: Run, file: ArchiveFile, steps: Steps) -> Outcome:
    try:
        confirm_claim(mirror, file, run.run_id)
    except MirrorError as error:
        return failed(file, error)
    return mirror_file(fenced(mirror, file, run.run_id), file, steps)
