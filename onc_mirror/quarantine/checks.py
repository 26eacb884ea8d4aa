"""Quarantined files and an operator: which file is meant, what may be done about it, and another try for it.

`releasing` does what needs bucket and validator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.errors import SettingsError
from onc_mirror.model import State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from onc_mirror.ledger import Dossier, Ledger


def look_up(ledger: Ledger, filename: str, device_code: str | None = None) -> Dossier:
    """Return the one file of this name.

    Raises:
        SettingsError: The ledger knows none, or several devices have one.
    """
    found = ledger.dossiers.find(filename, device_code)
    if len(found) == 1:
        return found[0]
    if found:
        codes = ", ".join(dossier.file.device_code for dossier in found)
        raise SettingsError(f"{len(found)} devices have a file {filename!r}: {codes}. Say which with --device.")
    of_device = f" of {device_code}" if device_code else ""
    raise SettingsError(
        f"The ledger knows no file {filename!r}{of_device}. Give the exact name; 'onc-mirror quarantine list' has it."
    )


def check_retry(dossier: Dossier) -> None:
    """Let pass what can be tried again.

    Raises:
        SettingsError: The file is not quarantined, or was refused for its row, which no download changes.
    """
    _check_quarantined(dossier)
    if dossier.is_of_the_row:
        raise SettingsError(
            f"{dossier.file.filename!r} is quarantined for its row ({dossier.reason}), which a download does not"
            " change. Every listing looks at it anew by itself; only the archive can put it right."
        )


def check_release(dossier: Dossier) -> None:
    """Let pass what has quarantined bytes that could be published.

    Raises:
        SettingsError: The file is not quarantined, was refused for its row, or was given up without any bytes.
    """
    _check_quarantined(dossier)
    name = repr(dossier.file.filename)
    if dossier.is_of_the_row:
        raise SettingsError(
            f"{name} is quarantined for its row ({dossier.reason}) and cannot be released: there are no bytes of it,"
            " and no key that it could have. Only the archive can put it right."
        )
    if dossier.quarantine_key is None or dossier.quarantine_sha256 is None:
        raise SettingsError(
            f"{name} was given up ({dossier.reason}) before a whole copy of it came: there are no bytes to release."
            " Try 'onc-mirror quarantine retry'."
        )


def retry(ledger: Ledger, wanted: Iterable[tuple[str, str]], now: datetime) -> frozenset[tuple[str, str]]:
    """Have files tried again by the next run of their device, whatever window it lists.

    Args:
        ledger: The ledger.
        wanted: Device code and filename of each.
        now: The moment, UTC.

    Returns:
        Those that are held now; the others are not quarantined any more, or some run works on them.
    """
    detail = f"An operator asked for another try at {now:%Y-%m-%d %H:%M} UTC."
    return ledger.dossiers.retry(wanted, detail=detail, now=now)


def _check_quarantined(dossier: Dossier) -> None:
    if dossier.state is not State.QUARANTINED:
        why = dossier.rule or dossier.reason
        raise SettingsError(
            f"{dossier.file.filename!r} of {dossier.file.device_code} is not quarantined but {dossier.state}"
            f"{f' ({why})' if why else ''}."
        )
