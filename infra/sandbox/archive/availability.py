"""`/api/dataAvailability/dataproducts`: how many files and bytes there are per device, product and extension.

The shape of the answer is known from the client's documentation. How `groupBy`, `mergeGaps` and `includeEmptyDays`
work is not: here `groupBy=day` gives a row per day, `mergeGaps=false` splits at days without files, and
`includeEmptyDays=false` leaves such days out.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from infra.sandbox.archive.catalogue import PRODUCTS
from infra.sandbox.archive.discovery import DEPLOYMENTS, matching_devices
from infra.sandbox.archive.query import bad_value
from infra.sandbox.archive.sea import FOREVER, Span, Wanted
from infra.sandbox.archive.times import DAY, iso, to_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.sandbox.archive.config import ArchiveConfig
    from infra.sandbox.archive.query import Query
    from infra.sandbox.archive.shelf import Edition, Shelf

PARAMETERS: Final = (
    *DEPLOYMENTS, "dataProductCode", "extension", "minimumCoverage", "maximumCoverage", "getLatest", "groupBy",
    "mergeGaps", "includeEmptyDays", "rowLimit",
)  # fmt: skip
_ROWS: Final = 100_000


@dataclass(slots=True)
class _Day:
    files: int = 0
    stored: int = 0
    plain: int = 0
    covered: int = 0


@dataclass(slots=True)
class _Tally:
    device: str
    product: str
    extension: str
    days: dict[int, _Day] = field(default_factory=lambda: defaultdict(_Day))


def availability(shelf: Shelf, config: ArchiveConfig, query: Query, query_url: str) -> dict[str, Any]:
    """The whole answer."""
    span, _ = query.span("dateFrom", "dateTo")
    since = max(span.since, to_ms(config.data_start)) // DAY * DAY
    until = (query.now if span.until == FOREVER else min(span.until, query.now)) // DAY * DAY + DAY
    product = query.one_of("dataProductCode", (product.code for product in PRODUCTS))
    wanted = Wanted(Span(since, until), extension=query.text("extension"), product=product)
    rows = [
        row
        for device in matching_devices(shelf.sea, query)
        for tally in _tallies(shelf, shelf.listed(device.code, wanted))
        for row in _rows(tally, range(since, until, DAY), query)
        if _coverage(query, "minimumCoverage", 0) <= row["averageFileCoverage"]
        if row["averageFileCoverage"] <= _coverage(query, "maximumCoverage", 1)
    ]
    if query.flag("getLatest"):
        rows.reverse()
    return {
        "availableDataProducts": rows[: query.row_limit(_ROWS)],
        "messages": [],
        "next": None,
        "queryUrl": query_url,
    }


def _coverage(query: Query, name: str, default: float) -> float:
    try:
        return float(query.text(name) or default)
    except ValueError:
        raise bad_value(name) from None


def _tallies(shelf: Shelf, editions: list[Edition]) -> list[_Tally]:
    tallies: dict[tuple[str, str], _Tally] = {}
    for edition in editions:
        file, stream = edition.file, edition.file.line.stream
        key = (stream.product, stream.extension)
        tally = tallies.setdefault(key, _Tally(file.line.device.code, *key))
        sizes = shelf.sizes(edition)
        first = file.begin // DAY * DAY
        day = tally.days[first]
        day.files += 1
        day.stored += sizes.stored
        day.plain += sizes.plain
        for start in range(first, file.end, DAY):
            tally.days[start].covered += min(file.end, start + DAY) - max(file.begin, start)
    return list(tallies.values())


def _rows(tally: _Tally, days: range, query: Query) -> Iterator[dict[str, Any]]:
    grouping = query.one_of("groupBy", ("day", "deviceCode", "dataProductCode", "none"))
    with_empty = query.flag("includeEmptyDays", default=True)
    if grouping == "day":
        runs = [[day] for day in days if with_empty or tally.days[day].files]
    elif query.flag("mergeGaps", default=True):
        runs = [[day for day in days if with_empty or tally.days[day].files]]
    else:
        runs = _runs(tally, days)
    return (_row(tally, run) for run in runs if run)


def _runs(tally: _Tally, days: range) -> list[list[int]]:
    runs: list[list[int]] = [[]]
    for day in days:
        if tally.days[day].files:
            runs[-1].append(day)
        elif runs[-1]:
            runs.append([])
    return runs


def _row(tally: _Tally, days: list[int]) -> dict[str, Any]:
    coverage = {day: min(1.0, tally.days[day].covered / DAY) for day in days}
    least, most = min(coverage, key=coverage.__getitem__), max(coverage, key=coverage.__getitem__)
    return {
        "averageFileCoverage": sum(coverage.values()) / len(coverage),
        "dataProductCode": tally.product,
        "dateFrom": iso(days[0]),
        "dateTo": iso(days[-1] + DAY),
        "deviceCode": tally.device,
        "extension": tally.extension,
        "fileCount": sum(tally.days[day].files for day in days),
        "maxFileCoverage": coverage[most],
        "maxFileCoverageDate": iso(most),
        "minFileCoverage": coverage[least],
        "minFileCoverageDate": iso(least),
        "totalFileSize": sum(tally.days[day].stored for day in days),
        "totalUncompressedFileSize": sum(tally.days[day].plain for day in days),
    }
