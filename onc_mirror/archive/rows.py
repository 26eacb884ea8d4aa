"""One row of an archive listing as an `ArchiveFile`, and times in the archive's spelling. Pure.

Guarantee: every row becomes a value, whatever it is. A field that is missing, null or not what it should be is
None; a row that is no object at all is an `ArchiveFile` with what can be known, so that it stays accounted for.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from onc_mirror.model import ArchiveFile

_MILLISECOND = timedelta(milliseconds=1)


def parse_file(row: Any, device_code: str) -> ArchiveFile:
    """Read one element of `files` as `returnOptions=all` gives it.

    Args:
        row: The element. A bare string, as other return options give, is taken as the filename.
        device_code: Device that was asked for; stands in where the row names none.
    """
    if not isinstance(row, dict):
        return ArchiveFile(_text(row) or "", device_code, row={"row": row})
    return ArchiveFile(
        filename=_text(row.get("filename")) or "",
        device_code=_text(row.get("deviceCode")) or device_code,
        product_code=_text(row.get("dataProductCode")),
        begins_at=parse_time(row.get("dateFrom")),
        ends_at=parse_time(row.get("dateTo")),
        archived_at=parse_time(row.get("archivedDate")),
        modified_at=parse_time(row.get("modifyDate")),
        stored_bytes=_size(row.get("fileSize")),
        uncompressed_bytes=_size(row.get("uncompressedFileSize")),
        compression=_text(row.get("compression")),
        row=row,
    )


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
        time = datetime.fromisoformat(value.strip())
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
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
        exact += _MILLISECOND
    return exact.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _size(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
