"""The guard between finding and doing: so many changes at once are for a person to look at first. Pure.

A store URL that was changed, a bucket that was emptied, a listing or a ledger that was lost: each looks like very
many differences, and repairing them would only hide what happened. So when more than a quarter of what should be
there would change (the share at which pudl-archiver refuses a file whose size moved), and more files than a bad day
brings, nothing is done, the run fails, and says how to go on.
"""

from __future__ import annotations

UNLIKELY = "unlikely-change"

MOST_CHANGED = 20
"""Files, of a device or of the run, that may change whatever their share: a small mirror has few."""

LARGEST_SHARE = 0.25
"""Of the files that should be mirrored: a larger share is no accident of single files."""


def is_unlikely(changing: int, expected: int) -> bool:
    """Say whether so many changes are for a person to look at first.

    >>> is_unlikely(20, 20), is_unlikely(21, 84), is_unlikely(22, 84)
    (False, False, True)
    """
    return changing > MOST_CHANGED and changing > LARGEST_SHARE * expected
