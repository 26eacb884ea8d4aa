"""What an operator is told of, and how each of these things is told. Pure.

Each cause is a section of `docs/runbook.md`, under its own name.
"""

from __future__ import annotations

import enum


class Cause(enum.StrEnum):
    """What may be wrong. The value is also the anchor of its section in the runbook."""

    TOKEN_REJECTED = "token-rejected"  # noqa: S105 - the name of a trouble
    RUNS_FAIL = "runs-fail"
    DEVICE_UNLISTED = "device-unlisted"
    DEVICE_SILENT = "device-silent"
    QUARANTINE = "quarantine"
    DAMAGE = "damage"
    LOST = "lost"
    UNLIKELY_CHANGE = "unlikely-change"

    @property
    def trouble(self) -> str:
        """What is wrong, in a few words."""
        return _TROUBLES[self]

    @property
    def relief(self) -> str:
        """What is said when it is over, in a few words."""
        return _RELIEFS[self]

    @property
    def grows(self) -> bool:
        """Whether more of it is news, while it lasts: each file counts."""
        return self in {Cause.QUARANTINE, Cause.DAMAGE, Cause.LOST}

    @property
    def reminds(self) -> bool:
        """Whether it is told again after a while: not what may stay as it is for good."""
        return self not in {Cause.QUARANTINE, Cause.LOST}

    @property
    def recovers(self) -> bool:
        """Whether its end is told: what is lost does not come back because nobody looks any more."""
        return self is not Cause.LOST


_TROUBLES = {
    Cause.TOKEN_REJECTED: "the archive rejects the token",
    Cause.RUNS_FAIL: "run after run fails",
    Cause.DEVICE_UNLISTED: "no listing that can be believed",
    Cause.DEVICE_SILENT: "no new files for longer than usual",
    Cause.QUARANTINE: "bad files in quarantine",
    Cause.DAMAGE: "stored objects were missing or damaged",
    Cause.LOST: "files that were proven are lost",
    Cause.UNLIKELY_CHANGE: "so much would change that nothing was done",
}

_RELIEFS = {
    Cause.TOKEN_REJECTED: "the archive accepts the token again",
    Cause.RUNS_FAIL: "a run succeeded",
    Cause.DEVICE_UNLISTED: "it is listed again, or no longer asked for",
    Cause.DEVICE_SILENT: "new files have come, or it was taken out of the water",
    Cause.QUARANTINE: "nothing is in quarantine any more",
    Cause.DAMAGE: "all is mended, and the last check found nothing more",
    Cause.LOST: "the last check found no more losses",
    Cause.UNLIKELY_CHANGE: "a run found no more than single differences",
}
