"""The ladder of a file as the ledger has it: the step that a failure takes it to, and whether it is the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.run.ladder import climb, climbs, is_at_end

if TYPE_CHECKING:
    from datetime import datetime

    from onc_mirror.ledger.trials import Tried
    from onc_mirror.mirror import Mirror
    from onc_mirror.model import ArchiveFile, Outcome


def climbed(mirror: Mirror, outcome: Outcome, now: datetime) -> Outcome:
    """Return an outcome with the moment of the file's next try, or as that of a file that is given up."""
    if not climbs(outcome):
        return outcome
    tried = mirror.ledger.trials.of(outcome.file)
    delays = mirror.settings.hold_delays
    return climb(outcome, tried.failed, delays, now=now, others_came=_others_came(mirror, tried, now))


def is_last_try(mirror: Mirror, file: ArchiveFile) -> bool:
    """Whether the file is given up when this attempt fails by its own fault."""
    tried = mirror.ledger.trials.of(file)
    return is_at_end(tried.failed, mirror.settings.hold_delays) and _others_came(mirror, tried, mirror.clock())


def _others_came(mirror: Mirror, tried: Tried, now: datetime) -> bool:
    """Whether, at the end of the ladder, other files were mirrored since the attempt before.

    Not since the first: an outage may begin on the day after.
    """
    delays = mirror.settings.hold_delays
    if tried.held_since is None or not delays or not is_at_end(tried.failed, delays):
        return True
    return mirror.ledger.trials.others_came(max(tried.held_since, now - delays[-1]), now)
