"""What the archive lists for a slice of data, and which of it a backfill is about.

What a person leaves out with an option is counted and not entered in the ledger: once entered, years of it would
be for the next hourly run to fetch (docs/decisions/0011).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from onc_mirror.frames import listing_frame
from onc_mirror.model import Decision, Outcome
from onc_mirror.retrying import with_retries
from onc_mirror.run.data_listing import list_data
from onc_mirror.selection import excluding_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onc_mirror.backfill.slicing import Slice
    from onc_mirror.mirror import Mirror
    from onc_mirror.model import Listing
    from onc_mirror.selection import Selection


@dataclass(frozen=True, slots=True)
class Sifted:
    """The listing of a slice, sifted.

    Attributes:
        listing: The files that the backfill is about.
        left_out: The ends of those that it is not, by the rule that says so.
        again: Names of files to try again, although they were given up.
    """

    listing: Listing
    left_out: tuple[Outcome, ...] = ()
    again: frozenset[str] = frozenset()


def failures_in(mirror: Mirror, one: Slice) -> tuple[Outcome, ...]:
    """The files of a slice that failed, as `Ledger.failures` has them.

    Raises:
        LedgerUnavailableError: The ledger is out of reach.
    """
    return tuple(end for end in mirror.ledger.failures(one.device_code, one.window) if one.has(end.file))


def list_slice(
    mirror: Mirror, one: Slice, selection: Selection | None, failures: Sequence[Outcome] | None = None
) -> Sifted:
    """Ask the archive for a slice; patiently, with the slow retries.

    Args:
        mirror: The parts.
        one: The slice.
        selection: What a person chose with options; None: all, for the settings to choose from.
        failures: The files that failed, when the backfill is about these only; one that is not listed any more is
            taken as it was, and its download will tell.

    Raises:
        MirrorError: The archive does not list.
    """
    listing = with_retries(
        lambda: list_data(mirror, one.device_code, one.window),
        mirror.settings.retry_delays_s,
        f"listing of {one.device_code}",
    )
    files = tuple(file for file in listing.files if one.has(file))
    if failures is not None:
        listed = {file.filename: file for file in files}
        files = tuple(listed.get(end.file.filename, end.file) for end in failures)
    again = frozenset(end.file.filename for end in failures or () if end.decision is Decision.QUARANTINED)
    if selection is None:
        return Sifted(replace(listing, files=files), again=again)
    rules = [None if pd.isna(rule) else str(rule) for rule in excluding_rules(listing_frame(files), selection)]
    ends = tuple(zip(files, rules, strict=True))
    return Sifted(
        replace(listing, files=tuple(file for file, rule in ends if rule is None)),
        tuple(Outcome(file, Decision.FILTERED, rule) for file, rule in ends if rule is not None),
        again,
    )
