"""The two list calls: choose, page, and render rows. Faults of listings are played here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from infra.sandbox.archive.catalogue import PRODUCTS
from infra.sandbox.archive.discovery import citation, deployed, matching_devices
from infra.sandbox.archive.faults import Fault, Kind
from infra.sandbox.archive.hostile import HOSTILE_ROWS
from infra.sandbox.archive.query import bad_value
from infra.sandbox.archive.sea import FOREVER, Wanted
from infra.sandbox.archive.times import iso, to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.sandbox.archive.catalogue import SeaDevice
    from infra.sandbox.archive.config import ArchiveConfig
    from infra.sandbox.archive.query import Query
    from infra.sandbox.archive.shelf import Edition, Shelf

_COMMON: Final = (
    "dateFrom", "dateTo", "dateArchivedFrom", "dateArchivedTo", "fileExtension", "dataProductCode", "returnOptions",
    "rowLimit", "page", "getLatest",
)  # fmt: skip
BY_DEVICE: Final = ("deviceCode", *_COMMON)
BY_LOCATION: Final = ("locationCode", "deviceCategoryCode", *_COMMON)
_RETURN_OPTIONS: Final = ("all", "archiveLocation")


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the editions found.

    Attributes:
        editions: Those of this page.
        moved: Parameters of the next page that differ from this one's; None on the last.
        number: 1 for the first, also where `dateFrom` moves.
    """

    editions: Sequence[Edition]
    moved: dict[str, Any] | None
    number: int


def list_by_device(shelf: Shelf, config: ArchiveConfig, query: Query, faults: Sequence[Fault], url: Url) -> Any:
    """`/api/archivefile/device`: an empty list where there is nothing."""
    devices = matching_devices(shelf.sea, query)
    return _answer(_Listing(shelf, config, query, faults, url), devices)


def list_by_location(shelf: Shelf, config: ArchiveConfig, query: Query, faults: Sequence[Fault], url: Url) -> Any:
    """`/api/archivefile/location`.

    Raises:
        ApiError: 127 when nothing was deployed there at that time.
    """
    span, _ = query.span("dateFrom", "dateTo", strict=config.strict_dates)
    devices = deployed(matching_devices(shelf.sea, query), span)
    if not devices:
        raise bad_value("dateFrom,dateTo", "No deployments found for the given parameters")
    return _answer(_Listing(shelf, config, query, faults, url), devices)


@dataclass(frozen=True, slots=True)
class Url:
    """What a call was addressed to, for the echoes of it, token included.

    Attributes:
        base: Scheme, host and path.
        query: The query string as it came.
        token: The token of the caller.
    """

    base: str
    query: str
    token: str


@dataclass(frozen=True, slots=True)
class _Listing:
    shelf: Shelf
    config: ArchiveConfig
    query: Query
    faults: Sequence[Fault]
    url: Url

    def struck(self, kind: Kind) -> list[Fault]:
        return [fault for fault in self.faults if fault.kind is kind]


def _answer(listing: _Listing, devices: Sequence[SeaDevice]) -> dict[str, Any]:
    query = listing.query
    option = query.one_of("returnOptions", _RETURN_OPTIONS)
    found = _find(listing, devices)
    page = _cut(listing, found)
    empty = listing.struck(Kind.EMPTY_LISTING)
    render = listing.shelf.row if option == "all" else listing.shelf.short_row
    rows = [] if empty else _rows(listing, page, [render(edition) for edition in page.editions])
    answer: dict[str, Any] = {
        "citations": [citation(device) for device in devices],
        "files": [_shown(row, option) for row in rows],
        "next": None if empty else _next(listing, page),
        "queryUrl": f"{listing.url.base}?{listing.url.query}",
        "returnOption": option or "default",
    }
    if empty or listing.config.messages:
        answer["messages"] = ["Some data may be restricted."] if empty else []
    return answer


def _find(listing: _Listing, devices: Sequence[SeaDevice]) -> list[Edition]:
    query, strict = listing.query, listing.config.strict_dates
    data, cursor = query.span("dateFrom", "dateTo", strict=strict)
    archived, _ = query.span("dateArchivedFrom", "dateArchivedTo", strict=False)
    product = query.one_of("dataProductCode", (product.code for product in PRODUCTS))
    latest = query.flag("getLatest")
    query.page()  # refuses a bad one before the work
    wanted = Wanted(data, archived, query.text("fileExtension"), product)
    found = [edition for device in devices for edition in listing.shelf.listed(device.code, wanted)]
    if len(devices) > 1:
        found.sort(key=lambda edition: (edition.file.begin, edition.file.name))
    if cursor:
        found = [edition for edition in found if edition.file.begin >= data.since][cursor - 1 :]
    if latest:
        found.reverse()
    return found


def _cut(listing: _Listing, found: Sequence[Edition]) -> Page:
    query = listing.query
    limit, number = query.row_limit(listing.config.default_row_limit), query.page()
    by_date = listing.config.paging == "dateFrom" and not query.flag("getLatest")
    start = 0 if by_date else (number - 1) * limit
    stop = start + limit
    if stop >= len(found):
        return Page(found[start:stop], None, number)
    if not by_date:
        return Page(found[start:stop], {"page": number + 1}, number)
    following = found[stop].file.begin
    # The microseconds below the API's milliseconds say how many files of that begin were given out: a begin alone
    # could neither tell files that begin together apart nor leave out those that overlap it.
    given = sum(edition.file.begin == following for edition in found[:stop])
    _, cursor = query.span("dateFrom", "dateTo", strict=False)
    if found[0].file.begin == following:
        given += max(0, cursor - 1)
    return Page(found[start:stop], {"dateFrom": f"{iso(following)[:-1]}{given + 1:03}Z"}, number)


def _next(listing: _Listing, page: Page) -> dict[str, Any] | None:
    looping = bool(listing.struck(Kind.PAGE_LOOP))
    if page.moved is None and not looping:
        return None
    query = listing.query
    data, _ = query.span("dateFrom", "dateTo", strict=False)
    parameters: dict[str, Any] = dict(query.values) | {
        "dateFrom": iso(to_ms(listing.config.data_start) if data.since == -FOREVER else data.since),
        "dateTo": iso(query.now if data.until == FOREVER else data.until),
        "rowLimit": query.row_limit(listing.config.default_row_limit),
        "page": page.number,
    }
    if looping and "dateFrom" in query.values:
        parameters["dateFrom"] = query.values["dateFrom"]
    parameters |= {} if looping or page.moved is None else page.moved
    return {
        "parameters": parameters,
        "url": f"{listing.url.base}?{urlencode({'token': listing.url.token, **parameters})}",
    }


def _rows(listing: _Listing, page: Page, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    _, cursor = listing.query.span("dateFrom", "dateTo", strict=False)
    first_page = page.number == 1 and not cursor
    for fault in listing.faults:
        match fault.kind:
            case Kind.LOST_ROWS if not first_page:
                rows = rows[fault.length or 1 :]
            case Kind.DUPLICATE_ROWS:
                rows = list(_twice(rows, fault))
            case Kind.CHANGED_ROWS:
                rows = [_changed(row, fault) if _is_meant(row, fault) else row for row in rows]
            case Kind.EXTRA_ROWS if first_page:
                rows = [*rows, *map(dict, HOSTILE_ROWS if fault.rows is None else fault.rows)]
            case _:
                pass
    return rows


def _twice(rows: Iterable[dict[str, Any]], fault: Fault) -> Iterable[dict[str, Any]]:
    for row in rows:
        yield row
        if _is_meant(row, fault):
            yield row


def _is_meant(row: dict[str, Any], fault: Fault) -> bool:
    return fault.matches(fault.endpoint or "device", row.get("deviceCode"), row.get("filename"))


def _changed(row: dict[str, Any], fault: Fault) -> dict[str, Any]:
    return {key: value for key, value in (row | dict(fault.changes)).items() if key not in fault.without}


def _shown(row: dict[str, Any], option: str | None) -> Any:
    if option == "all":
        return row
    if option == "archiveLocation":
        return {key: row[key] for key in ("filename", "archiveLocation") if key in row}
    return row.get("filename")
