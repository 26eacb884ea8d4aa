"""What an object says about itself: the archive's fields and our measurements, as object metadata, and back.

The bucket describes itself: these entries are enough to tell which archive row an object holds, that it was
proven, and how far, with no ledger at hand. S3 carries metadata as ASCII headers of 2 kB in all, so values are
percent-encoded where they are not plain (blanks too, which headers lose), and keys the archive may add later go into
one entry.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from onc_mirror.model import HDF5_EXTENSIONS, Grade

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from onc_mirror.model import ArchiveFile, StoredObject, Verdict

# The keys of a listed row (facts: the one real listing known, and the ONC client), and their metadata names.
ARCHIVE_FIELDS = {
    "filename": "onc-filename",
    "deviceCode": "onc-device-code",
    "dataProductCode": "onc-data-product-code",
    "dateFrom": "onc-date-from",
    "dateTo": "onc-date-to",
    "archivedDate": "onc-archived-date",
    "modifyDate": "onc-modify-date",
    "fileSize": "onc-file-size",
    "uncompressedFileSize": "onc-uncompressed-file-size",
    "compression": "onc-compression",
    "archiveLocation": "onc-archive-location",
    "path": "onc-path",
}
EXTRA = "onc-extra"
RELEASED = "released-by"
"""Of an object that an operator took out of quarantine: its grade may be lower than the settings ask for."""

# What changes when the archive replaces a file under its name. modifyDate is left out: it trails
# archivedDate by seconds and so differs between two listings of the same content.
_IDENTITY = ("archivedDate", "fileSize", "uncompressedFileSize")
_LARGEST_BYTES = 1900  # the hashes that the store adds take the rest
_SIZE = re.compile(r"0|[1-9][0-9]{0,19}")
_PLAIN = "!#$&'()*+,/:;=?@[]{}|^`\"<>\\"


def object_metadata(file: ArchiveFile, verdict: Verdict, *, now: datetime, released: bool = False) -> dict[str, str]:
    """Metadata of the object that holds `file`: ASCII, within S3's 2 kB.

    The store adds the measured hashes. A field that does not fit any more is left out; what tells one content from
    the next comes first.

    Args:
        file: The archive row.
        verdict: How far the object was proven.
        now: The moment, UTC.
        released: Whether an operator took the bytes out of quarantine.
    """
    metadata = {"mirrored-at": now.isoformat(timespec="milliseconds")}
    if released:
        metadata[RELEASED] = "operator"
    if verdict.grade is not None:
        metadata["grade"] = str(verdict.grade)
    known = {ARCHIVE_FIELDS[field]: file.row.get(field) for field in (*_IDENTITY, *ARCHIVE_FIELDS)}
    extra = {key: value for key, value in file.row.items() if key not in ARCHIVE_FIELDS}
    wanted = {name: str(value) for name, value in known.items() if _is_told(value)}
    if extra:
        wanted[EXTRA] = json.dumps(extra, separators=(",", ":"), sort_keys=True, default=str)
    left = _LARGEST_BYTES - _size(metadata)
    for name, text in wanted.items():
        header = {name: quote(text, safe=_PLAIN, errors="surrogatepass")}
        if (size := _size(header)) <= left:
            metadata |= header
            left -= size
    return metadata


def archive_fields(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The archive's row as `object_metadata` kept it; sizes are integers, absent fields are left out.

    Metadata that something else wrote may say anything: what cannot be read as a size stays text, and keys of
    the archive's that are not JSON are left out.
    """
    row: dict[str, Any] = {
        field: _unquoted(metadata[name]) for field, name in ARCHIVE_FIELDS.items() if name in metadata
    }
    for field in ("fileSize", "uncompressedFileSize"):
        if _SIZE.fullmatch(row.get(field, "")):
            row[field] = int(row[field])
    return _extra(metadata) | row


def holds(stored: StoredObject | None, file: ArchiveFile, grade: Grade) -> bool:
    """Whether `stored` is this very archive row, proven at least to `grade`: then no transfer is needed.

    A lower grade will do where an operator said so. It is how a run that was killed between publishing and recording
    converges without a second download.
    """
    if stored is None or not stored.metadata.get("sha256") or not stored.metadata.get("grade"):
        return False
    try:
        proven = Grade(stored.metadata["grade"]).rank >= reachable_grade(file, grade).rank
    except ValueError:
        return False  # a grade of another version of the mirror: what it proves is not known here
    return (
        is_of_row(stored, file)
        and (proven or RELEASED in stored.metadata)
        and file.expected_bytes in (None, stored.size_bytes)
    )


def is_of_row(stored: StoredObject, file: ArchiveFile) -> bool:
    """Whether `stored` was fetched for the archive's row as it is now, proven or not."""
    kept = archive_fields(stored.metadata)
    return all(_as_told(kept.get(field)) == _as_told(file.row.get(field)) for field in _IDENTITY)


def names(stored: StoredObject, file: ArchiveFile) -> bool:
    """Whether `stored` says that it is a copy of `file`, of whatever time; names are unique in the archive."""
    return archive_fields(stored.metadata).get("filename") == file.filename


def reachable_grade(file: ArchiveFile, grade: Grade) -> Grade:
    """The asked-for grade where the format has one; `size` for formats that can be proven no further."""
    return grade if file.extension in HDF5_EXTENSIONS else Grade.SIZE


def _is_told(value: Any) -> bool:
    return value is not None and value != ""


def _as_told(value: Any) -> str:
    return str(value) if _is_told(value) else ""


def _unquoted(text: str) -> str:
    try:
        return unquote(text, errors="surrogatepass")
    except UnicodeDecodeError:
        return unquote(text, errors="replace")


def _extra(metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        extra = json.loads(_unquoted(metadata.get(EXTRA, "{}")))
    except (ValueError, RecursionError):
        return {}
    return extra if isinstance(extra, dict) else {}


def _size(headers: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) for name, value in headers.items())
