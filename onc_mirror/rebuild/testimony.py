"""What a stored object says of itself, taken for true only as a whole: pure.

Everything that the mirror puts into the bucket names the archive's row, its own measured hash and how far it was
proven. What was put there by hand does not, or contradicts its own key, and is not believed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from onc_mirror.archive.rows import parse_file
from onc_mirror.errors import UnsafeNameError
from onc_mirror.layout import Kind, mirrored_key, place_of, quarantine_key
from onc_mirror.model import DAMAGED_OBJECT, ArchiveFile, Decision, Grade, Outcome
from onc_mirror.provenance import archive_fields
from onc_mirror.transfer.quarantining import parse_note
from onc_mirror.utc import as_utc

if TYPE_CHECKING:
    from onc_mirror.model import StoredObject

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Heard:
    """How an object says that its file ended.

    Attributes:
        outcome: Mirrored, or quarantined.
        moment: When, by the mirror's clock, UTC.
    """

    outcome: Outcome
    moment: datetime


@dataclass(frozen=True, slots=True)
class Stranger:
    """An object that is not believed.

    Attributes:
        key: Where it is.
        why: One sentence for people.
    """

    key: str
    why: str


def hear_mirrored(stored: StoredObject) -> Heard | Stranger:
    """Hear an object under the key of a mirrored file, looked at closely."""
    place = place_of(stored.key)
    known = _proof(stored)
    if isinstance(known, str) or place is None or place.kind is not Kind.MIRRORED:
        return Stranger(stored.key, known if isinstance(known, str) else "No mirrored file has such a key.")
    moment, sha256 = known
    grade = _grade(stored.metadata.get("grade"))
    fields = archive_fields(stored.metadata)
    file = parse_file(fields, place.device if stored.key.startswith("raw/") else "")
    why = ""
    if grade is None:
        why = "It does not say how far it was proven."
    elif not _belongs(stored.key, file):
        why = f"It says that it is {file.filename!a} of {file.device_code!a}, and that has another key."
    elif file.expected_bytes not in {None, stored.size_bytes}:
        why = f"It has {stored.size_bytes} bytes, and says that its file has {file.expected_bytes}."
    if why:
        return Stranger(stored.key, why)
    outcome = Outcome(
        file, Decision.MIRRORED, key=stored.key, size_bytes=stored.size_bytes, sha256=sha256, grade=grade
    )
    return Heard(outcome, moment)


def hear_quarantined(stored: StoredObject, note: bytes | None) -> Heard | Stranger | None:
    """Hear an object in quarantine, with the note that lies beside it.

    Returns:
        None for the damaged bytes of an object that has been replaced: they say nothing of their file.
    """
    known, told = _proof(stored), parse_note(note)
    if isinstance(known, str) or told is None:
        return Stranger(stored.key, known if isinstance(known, str) else "It has no note beside it that says why.")
    moment, sha256 = known
    reason, row = told.get("reason"), told.get("archive_row")
    if reason == DAMAGED_OBJECT:
        return None
    place = place_of(stored.key)
    file = parse_file(row, place.device if place is not None else "")
    if not isinstance(reason, str) or told.get("sha256") != sha256 or not _is_bad_copy(stored.key, file, sha256):
        return Stranger(stored.key, "It and the note beside it contradict each other.")
    outcome = Outcome(
        file,
        Decision.QUARANTINED,
        reason=reason,
        detail=str(told.get("detail") or ""),
        key=stored.key,
        size_bytes=stored.size_bytes,
        sha256=sha256,
        grade=_grade(told.get("grade")),
    )
    return Heard(outcome, moment)


def _proof(stored: StoredObject) -> tuple[datetime, str] | str:
    """When it was brought to its end and with which hash; or why it is not believed."""
    sha256 = stored.metadata.get("sha256", "")
    if "onc-filename" not in stored.metadata:
        return "It does not say which file it is."
    try:
        moment = as_utc(datetime.fromisoformat(stored.metadata.get("mirrored-at", "")))
    except ValueError:
        return "It does not say when it was mirrored."
    return (moment, sha256) if _SHA256.fullmatch(sha256) else "It does not say what was measured of it."


def _belongs(key: str, file: ArchiveFile) -> bool:
    try:
        return key in {mirrored_key(file, "raw"), mirrored_key(file, "strawb")}
    except UnsafeNameError:
        return False


def _is_bad_copy(key: str, file: ArchiveFile, sha256: str) -> bool:
    try:
        return key == quarantine_key(file, sha256)
    except UnsafeNameError:
        return False


def _grade(text: Any) -> Grade | None:
    try:
        return Grade(text)
    except ValueError:
        return None
