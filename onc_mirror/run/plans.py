"""What a run does about each file that the archive listed: the planner's decisions, entered in the ledger.

A file that is to be fetched is claimed, so that no two runs transfer it; of one that another run has claimed first
this run says so and leaves it alone.

Apart from `hour`, which asks the archive before it imports this: pandas takes a third of a second to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from onc_mirror import planning
from onc_mirror.frames import files_from_frame, listing_frame
from onc_mirror.model import Decision, Listing
from onc_mirror.run.ladder import longest_pause
from onc_mirror.run.same_bucket import look_at_bucket
from onc_mirror.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from onc_mirror.mirror import Mirror
    from onc_mirror.model import ArchiveFile
    from onc_mirror.run.gathering import Gathered, Inquiry

# Each but the first needs another run to conclude a file between two statements of this one.
_ROUNDS = 5

WIDENED_AT_ONCE = 500
"""Files of a device that one run takes up because the settings want them by now; the next runs take up the rest."""

# Keeps the plan's columns when no device could be listed.
_NOTHING = Listing("", None, ())


def plan_run(mirror: Mirror, inquiry: Inquiry, gathered: Gathered) -> pd.DataFrame:
    """Decide about every listed row, and enter in the ledger what is decided without a transfer.

    Files that earlier runs left unfinished, or left out by a rule that the settings have no more, join the listed
    ones, so that they are taken up although the window lists them no more.

    Returns:
        The rows of `planning.plan`, one per file of all devices.

    Raises:
        MirrorError: The store is not there, closed or another one, also when there is nothing to publish; or the
            ledger is out of reach.
    """
    planned = plan_listings(mirror, inquiry, gathered.listings)
    # Before the first download, and in every run: a bucket that is lost in a quiet week must not stay unnoticed.
    # A reconcile, whose listings have no window of archive time, compares the bucket and has a guard of its own.
    look_at_bucket(mirror, (listing.device_code for listing in gathered.listings if listing.window is not None))
    return planned


def plan_listings(
    mirror: Mirror, inquiry: Inquiry, listings: Iterable[Listing], *, again: Collection[str] = ()
) -> pd.DataFrame:
    """As `plan_run`, without a look at the store.

    Args:
        mirror: The parts.
        inquiry: What the run asks.
        listings: What was listed.
        again: Files to try again, although they are quarantined.
    """
    planned = pd.concat([_claim_device(mirror, inquiry, listing, again) for listing in list(listings) or [_NOTHING]])
    decided = planning.to_record(planned)
    if not inquiry.request.sees_everything:
        # What a person leaves out today is not what the settings leave out: the next hourly run must see it.
        decided = tuple(outcome for outcome in decided if outcome.decision is not Decision.FILTERED)
    mirror.ledger.record_many(decided, run_id=inquiry.run.run_id, now=inquiry.run.began_at)
    return planned


def to_fetch(planned: pd.DataFrame) -> tuple[ArchiveFile, ...]:
    """The files that the plan wants transferred, newest data first."""
    wanted = planned[planned["decision"] == Decision.FETCH]
    return files_from_frame(wanted.sort_values("begins_at", ascending=False))


def _claim_device(mirror: Mirror, inquiry: Inquiry, listing: Listing, again: Collection[str]) -> pd.DataFrame:
    for _ in range(_ROUNDS):
        planned = decide(mirror, inquiry, listing, again=again)
        now = mirror.clock()
        claimed = mirror.ledger.leases.claim(
            planning.claimable(planned), owner=inquiry.run.run_id, until=now + mirror.settings.lease, now=now
        )
        if not claimed.changed:
            break
        # Another run brought them to their end while this one planned: now they are planned differently.
    return planning.leave_to_others(planned, {**claimed.elsewhere, **dict.fromkeys(claimed.changed)})


def decide(mirror: Mirror, inquiry: Inquiry, listing: Listing, *, again: Collection[str] = ()) -> pd.DataFrame:
    """Decide about every listed row of one device, and change nothing.

    Args:
        mirror: The parts.
        inquiry: What the run asks.
        listing: What was listed.
        again: As for `plan_listings`.

    Returns:
        As `plan_run`.
    """
    code = listing.device_code
    selection = _selection(mirror, inquiry)
    left = _left_over(mirror, code, selection) if inquiry.request.takes_up_held else ()
    named = {file.filename for file in (*listing.files, *listing.unlisted)}
    files = [*listing.files, *(file for file in left if file.filename not in named)]
    entries = mirror.ledger.entries(code, [file.filename for file in (*files, *listing.unlisted)])
    entries = planning.as_held(entries, again) if again else entries
    rows = listing_frame(files)
    pause = longest_pause(mirror.settings.hold_delays)
    planned = planning.plan(rows, entries, selection, now=inquiry.run.began_at, device_code=code, longest_pause=pause)
    if not listing.unlisted:
        return planned
    gone = planning.plan_unlisted(listing_frame(listing.unlisted), entries, now=inquiry.run.began_at)
    return pd.concat([planned, gone])


def _left_over(mirror: Mirror, device_code: str, selection: Selection) -> tuple[ArchiveFile, ...]:
    """What earlier runs left unfinished, and what they left out that `selection` wants by now."""
    wanted = mirror.ledger.no_longer_filtered(device_code, selection, WIDENED_AT_ONCE)
    return (*mirror.ledger.unfinished(device_code), *wanted)


def _selection(mirror: Mirror, inquiry: Inquiry) -> Selection:
    if inquiry.request.only is not None:
        return Selection()
    return inquiry.request.selection or Selection(extensions=frozenset(mirror.settings.extensions))
