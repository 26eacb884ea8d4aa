"""One row of an archive listing as an `ArchiveFile`, and times in the archive's spelling. Pure.

Guarantee: every row becomes a value, whatever it is. A field that is missing, null or not what it should be is
None; a row that is no object at all is an `ArchiveFile` with what can be known, so that it stays accounted for.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from onc_mirror.model import ArchiveFile
from onc_mirror.utc import as_utc

_MILLISECOND = timedelta(milliseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
# What the ledger's columns hold; a larger size is no size.
_LARGEST_SIZE = 2**63 - 1
_LONGEST_SIZE = len(str(_LARGEST_SIZE))


def parse_file(row: Any, device_code: str) -> ArchiveFile:
    """Read one element of `files` as `returnOptions=all` gives it.

    Args:
        row: The element. A bare string, as other return options give, is taken as the filename.
        device_code: Device that was asked for; stands in where the row names none.
    """
    if not isinstance(row, dict):
        return ArchiveFile(read_text(row) or "", device_code, row={"row": row})
    return ArchiveFile(
        filename=read_text(row.get("filename")) or "",
        device_code=read_text(row.get("deviceCode")) or device_code,
        product_code=read_text(row.get("dataProductCode")),
        begins_at=parse_time(row.get("dateFrom")),
        ends_at=parse_time(row.get("dateTo")),
        archived_at=parse_time(row.get("archivedDate")),
        modified_at=parse_time(row.get("modifyDate")),
        stored_bytes=read_whole_number(row.get("fileSize")),
        uncompressed_bytes=read_whole_number(row.get("uncompressedFileSize")),
        compression=read_text(row.get("compression")),
        row=row,
    )


def just_before(time: datetime) -> datetime:
    """One millisecond earlier, or `time` at the beginning of all times."""
    return time - _MILLISECOND if time - _FIRST >= _MILLISECOND else time


def just_after(time: datetime) -> datetime:
    """One millisecond later, or `time` at the end of all times."""
    return time + _MILLISECOND if _LAST - time >= _MILLISECOND else time


def parse_time(value: Any) -> datetime | None:
    """Read a time of the archive; one without a zone is UTC, as the API has no other.

    >>> parse_time("2021-10-12T03:55:53.941Z").isoformat()
    '2021-10-12T03:55:53.941000+00:00'
    >>> parse_time("soon") is parse_time(None) is None
    True
    """
    if not isinstance(value, str):
        return None
    try:
        return as_utc(datetime.fromisoformat(value.strip()))
    except (ValueError, OverflowError):
        return None


def format_time(time: datetime, *, round_up: bool = False) -> str:
    """Spell `time` as the API wants it, in milliseconds, rounded down unless told otherwise.

    >>> format_time(datetime(2021, 10, 11, 0, 0, 0, 1500, tzinfo=UTC))
    '2021-10-11T00:00:00.001Z'
    >>> format_time(datetime(2021, 10, 11, 0, 0, 0, 1500, tzinfo=UTC), round_up=True)
    '2021-10-11T00:00:00.002Z'
    """
    exact = time.astimezone(UTC)
    if round_up and exact.microsecond % 1000:
        exact = just_after(exact)
    return exact.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def read_text(value: Any) -> str | None:
    """Return `value` when it is text that is not empty, else None."""
    return value if isinstance(value, str) and value else None


def read_whole_number(value: Any) -> int | None:
    """Return a number from 0 on that fits 63 bits, however it is spelled, else None."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _LONGEST_SIZE:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_SIZE else None
