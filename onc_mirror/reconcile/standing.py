"""How a file or an object stands when archive, ledger and bucket are held against each other: a sign and a word.

The sign says where a file is, as `rclone check` has it: `=` archive and bucket agree, `+` only in the archive, `-`
only in the bucket, `*` in both and different, `!` an error. The standing says what that means. Not every `+` is a
difference: a held file is accounted for. The standings, in the order in which `comparing` asks:

    changing         the ledger learnt something of it meanwhile
    counted-only     the archive lists it not, and yet counts more files there than it lists
    lost             mirrored, but in the archive no more, and its object is missing
    vanished         in the archive no more; its object is kept
    gone             as above, and the ledger knows
    missing-object   mirrored, but its object is missing
    damaged-object   mirrored, but its object has another size, or says that it is of another content
    quarantined      bad for a known reason
    filtered         not wanted, by a rule
    held             waits for its next try
    same             mirrored, and object and archive row are as they were then
    re-archived      the archive has replaced it since
    listed-again     was gone, and is in the archive again
    selected         was filtered, and is wanted now
    unfinished       listed, but no run has come to an end with it
    unrecorded       in archive and bucket, but not in the ledger
    new              in the archive since the watermark, where the next hourly run would find it
    before-mirror    archived before this mirror began: the backfill's
    missed           in the archive since then, and not in the ledger
    unknown-object   in the bucket, and nobody knows why
"""

from __future__ import annotations

import enum

from onc_mirror import model


class Sign(enum.StrEnum):
    """Where a file or object is; see the module."""

    SAME = "="
    ONLY_ARCHIVE = "+"
    ONLY_BUCKET = "-"
    DIFFERS = "*"
    ERROR = "!"


class Standing(enum.StrEnum):
    """How a file or object stands; see the module."""

    CHANGING = "changing"
    COUNTED_ONLY = "counted-only"
    LOST = "lost"
    VANISHED = "vanished"
    GONE = "gone"
    MISSING_OBJECT = model.MISSING_OBJECT
    DAMAGED_OBJECT = model.DAMAGED_OBJECT
    QUARANTINED = "quarantined"
    FILTERED = "filtered"
    HELD = "held"
    SAME = "same"
    RE_ARCHIVED = "re-archived"
    LISTED_AGAIN = "listed-again"
    SELECTED = "selected"
    UNFINISHED = "unfinished"
    UNRECORDED = "unrecorded"
    NEW = "new"
    BEFORE_MIRROR = "before-mirror"
    MISSED = "missed"
    UNKNOWN_OBJECT = "unknown-object"

    @property
    def is_difference(self) -> bool:
        """Whether archive, ledger and bucket contradict each other, so that somebody should know."""
        return self in _DIFFERENCES

    @property
    def advice(self) -> str:
        """What it means and what is done about it, for people; empty where nothing is to be said."""
        return _ADVICE.get(self, "")


DAMAGE = frozenset({Standing.MISSING_OBJECT, Standing.DAMAGED_OBJECT})
ERRORS = frozenset({Standing.LOST, Standing.COUNTED_ONLY})
AGREED = frozenset({Standing.SAME, Standing.FILTERED, Standing.CHANGING})
_DIFFERENCES = frozenset(
    {
        Standing.COUNTED_ONLY,
        Standing.LOST,
        Standing.VANISHED,
        *DAMAGE,
        Standing.RE_ARCHIVED,
        Standing.LISTED_AGAIN,
        Standing.SELECTED,
        Standing.UNRECORDED,
        Standing.MISSED,
        Standing.UNKNOWN_OBJECT,
    }
)

_ADVICE = {
    Standing.COUNTED_ONLY: "The archive counts more files here than it lists. Nothing is done until both agree.",
    Standing.LOST: "It was mirrored, but its object is missing, and the archive does not list it any more.",
    Standing.VANISHED: "The archive does not list it any more. What the bucket has of it is kept.",
    Standing.MISSING_OBJECT: "The ledger says that it is mirrored, but its object is missing.",
    Standing.UNRECORDED: "The bucket has it, but the ledger did not know it.",
    Standing.MISSED: "The archive has it, but the ledger did not know it.",
    Standing.UNKNOWN_OBJECT: "Neither the ledger nor the archive knows it. It stays: find out where it came from.",
}
