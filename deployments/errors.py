"""What can go wrong between us and a Prefect server. Wrong files and settings are `SettingsError`."""

from __future__ import annotations

from onc_mirror.errors import PermanentError, TransientError


class ServerUnreachableError(TransientError):
    """The Prefect server does not answer, or is in trouble itself (5xx)."""

    reason = "prefect-unreachable"


class ServerRefusedError(PermanentError):
    """The Prefect server refuses what it is asked for, or it is none."""

    reason = "prefect-refused"
