"""The settings: what an operator can say, read once at the edge and passed down as values.

`MirrorSettings` has them all. Looking around in the archive needs only `ArchiveSettings`, looking at what was done
only `LedgerSettings`, telling somebody of it `AlertSettings` or `MetricsSettings` besides. The environment is the
only source, or for secrets a file that it names; names are part of the public interface. Secrets are `SecretStr` and
never appear in a representation; that a setting is declared as one is all it takes (`secrets`).
"""

from onc_mirror.settings.declared import (
    PREFIX,
    RUNBOOK,
    AlertSettings,
    ArchiveSettings,
    LedgerSettings,
    LogSettings,
    MetricsSettings,
    MirrorSettings,
    TableSettings,
)
from onc_mirror.settings.loading import load_settings

__all__ = [
    "PREFIX",
    "RUNBOOK",
    "AlertSettings",
    "ArchiveSettings",
    "LedgerSettings",
    "LogSettings",
    "MetricsSettings",
    "MirrorSettings",
    "TableSettings",
    "load_settings",
]
