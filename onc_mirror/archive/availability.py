"""How many files and bytes the archive says it has, per product, extension and span of days. No listing stands in.

`/api/dataAvailability/dataproducts` answers rows with `fileCount`, `totalFileSize` and `totalUncompressedFileSize`
for `dateFrom` to `dateTo`, whole days (source: ONC's client 2.6.0, `getDataAvailability`). A `dateTo` asked for is
within the last day counted, not the one after it. How `groupBy=day` is understood is not documented: a row says by
itself which span it is about, so rows of any span will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from onc_mirror.archive.rows import format_time, parse_time, read_text, read_whole_number
from onc_mirror.errors import GarbledAnswerError, ListingIncompleteError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from onc_mirror.model import TimeWindow

    Fetch = Callable[[Mapping[str, str]], Any]

# A page has up to 100 000 rows, and a device-year some thousand.
_MOST_PAGES = 1000
_INSTANT = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Counted:
    """What the archive counts of one product in one format, over a span of its data.

    Attributes:
        product_code: Data product code, empty when the row has none.
        extension: Extension, lower case without a dot.
        since: Begin of the span, UTC.
        until: End of the span, UTC, exclusive.
        files: Number of files.
        stored_bytes: Their bytes in the archive, or None.
        plain_bytes: Their bytes uncompressed, or None.
    """

    product_code: str
    extension: str
    since: datetime
    until: datetime
    files: int
    stored_bytes: int | None = None
    plain_bytes: int | None = None


def count_files(fetch: Fetch, device_code: str, window: TimeWindow) -> tuple[Counted, ...]:
    """Ask what the archive counts of a device, day by day.

    Args:
        fetch: Asks the archive with the given parameters and returns the parsed JSON.
        device_code: Device code.
        window: Of data time, whole days.

    Raises:
        GarbledAnswerError: The answer is not one about availability.
        ListingIncompleteError: The pages loop.
    """
    asked = {
        "deviceCode": device_code,
        "dateFrom": format_time(window.since),
        "dateTo": format_time(window.until - _INSTANT),
        "groupBy": "day",
        "includeEmptyDays": "false",
    }
    counted: list[Counted] = []
    parameters: dict[str, str] | None = asked
    seen: list[dict[str, str]] = []
    while parameters is not None:
        if parameters in seen or len(seen) >= _MOST_PAGES:
            raise ListingIncompleteError("The archive's counts of files have no end.", subject=device_code)
        seen.append(parameters)
        rows, more = _page(fetch(parameters), device_code)
        counted += rows
        parameters = None if more is None else asked | more
    return tuple(counted)


def _page(answer: Any, device_code: str) -> tuple[list[Counted], dict[str, str] | None]:
    rows = answer.get("availableDataProducts") if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise GarbledAnswerError("The archive does not say how many files it has.", subject=device_code)
    following = answer.get("next")
    if not following:
        return [_counted(row, device_code) for row in rows], None
    parameters = following.get("parameters") if isinstance(following, dict) else None
    if not isinstance(parameters, dict):
        raise GarbledAnswerError("The archive names a next page without its parameters.", subject=device_code)
    more = {name: str(value) for name, value in parameters.items() if name.lower() != "token" and value is not None}
    return [_counted(row, device_code) for row in rows], more


def _counted(row: Any, device_code: str) -> Counted:
    fields = row if isinstance(row, dict) else {}
    since, until = parse_time(fields.get("dateFrom")), parse_time(fields.get("dateTo"))
    files = read_whole_number(fields.get("fileCount"))
    if since is None or until is None or files is None:
        raise GarbledAnswerError("The archive counts files without saying how many, or of when.", subject=device_code)
    return Counted(
        read_text(fields.get("dataProductCode")) or "",
        (read_text(fields.get("extension")) or "").lstrip(".").lower(),
        since,
        until,
        files,
        read_whole_number(fields.get("totalFileSize")),
        read_whole_number(fields.get("totalUncompressedFileSize")),
    )
