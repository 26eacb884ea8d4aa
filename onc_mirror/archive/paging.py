"""A listing over all of its pages, and the proof that no row was lost between them.

The archive hands out at most `rowLimit` rows and, while there are more, `next.parameters` for the following
page. Those are sent back as they are, so it does not matter whether `page` or `dateFrom` moves.

What can go wrong, and what is done about it:

* *Loop*: parameters that were asked before, or a page with no new row that still names a next one:
  `ListingIncompleteError`.
* *Rows lost at a seam*: a row that vanishes while we page shifts all later rows up by one, so that the first of
  the next page is skipped; a server that moves `dateFrom` past the last row skips rows that begin at the same
  instant, as the daily files of a device do. All such rows lie, in the listing's order, between the last row
  before the seam and the first one after it. So that span is listed once more, by the same rules: the row before
  the seam must come again (else the answer proves nothing: `ListingIncompleteError`), and rows not seen so far
  are added. A span that does not get narrower although it has seams itself is a `ListingIncompleteError` too.
* *A full last page without a next one*, as a server with a silent cap gives: the span after its last row is
  asked for in the same way.
* *No order in time*, so that a seam spans nothing: the whole listing is read a second time and must bring no new
  row, else `ListingIncompleteError`.

A listing of one page that is not full costs no extra request. Source of the paging: ONC's client 2.6.0.
"""

from __future__ import annotations

import itertools
import json
import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from onc_mirror.archive.answers import one_line
from onc_mirror.archive.rows import format_time, just_after, just_before, parse_time
from onc_mirror.errors import GarbledAnswerError, ListingIncompleteError
from onc_mirror.model import TimeWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Fetch = Callable[[Mapping[str, str]], Any]

logger = logging.getLogger(__name__)

# The archive's limit: a missing, invalid or larger `rowLimit` becomes this one.
ROW_LIMIT = 100_000

# No device has so many files; whoever names ever new pages would hold the run, and its memory, for good.
MOST_PAGES = 10_000
_FIRST_INSTANT = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_INSTANT = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Query:
    """A listing to ask for.

    Attributes:
        device_code: Device code.
        row_limit: Rows per page, at most `ROW_LIMIT`.
        archived: Keep rows archived in this window; None keeps all.
        data: Keep rows whose data lie in this window; None keeps all.
        extension: Keep rows with this extension, without a dot; None keeps all.
        most_pages: Pages that are read at most.
        widest: Rows per page where a seam is looked at again: as many as the archive hands out.
    """

    device_code: str
    row_limit: int
    archived: TimeWindow | None = None
    data: TimeWindow | None = None
    extension: str | None = None
    most_pages: int = MOST_PAGES
    widest: int = ROW_LIMIT

    def parameters(self) -> dict[str, str]:
        """The parameters of `/api/archivefile/device`, without the token."""
        parameters = {
            "deviceCode": self.device_code,
            "returnOptions": "all",
            "rowLimit": str(self.row_limit),
        }
        for prefix, window in (("date", self.data), ("dateArchived", self.archived)):
            if window is not None:
                parameters[f"{prefix}From"] = format_time(window.since)
                parameters[f"{prefix}To"] = format_time(window.until, round_up=True)
        if self.extension:
            parameters["fileExtension"] = self.extension
        return parameters


@dataclass(slots=True)
class Rows:
    """Rows as they come in, each distinct one once.

    Attributes:
        distinct: In the order they came.
        repeated: How many identical rows were dropped.
    """

    distinct: list[Any] = field(default_factory=list)
    repeated: int = 0
    _first: dict[Any, Any] = field(default_factory=dict)
    _spelled: dict[Any, set[str]] = field(default_factory=dict)

    def add(self, rows: Iterable[Any]) -> list[Any]:
        """Take rows in; return those that are new."""
        fresh = []
        for row in rows:
            if self._is_new(row):
                fresh.append(row)
            else:
                self.repeated += 1
        self.distinct += fresh
        return fresh

    def look_again(self) -> Rows:
        """Return an empty collection that knows the rows of this one, to gather what a second look adds."""
        return Rows(_first=self._first, _spelled=self._spelled)

    def _is_new(self, row: Any) -> bool:
        """Note `row`; in time that does not grow with the number of rows of one name."""
        name = _name(row)
        if name not in self._first:
            self._first[name] = row
            return True
        if name not in self._spelled and row == self._first[name]:
            return False
        spelled = self._spelled.setdefault(name, {_spell(self._first[name])})
        known = len(spelled)
        spelled.add(_spell(row))
        return len(spelled) > known


@dataclass(frozen=True, slots=True)
class _Page:
    rows: list[Any]
    following: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class _Order:
    """A time that the rows of a listing are sorted by, and the windows of a query that select on it."""

    row_key: str
    of_data: bool

    def time(self, row: Any) -> datetime | None:
        return parse_time(row.get(self.row_key)) if isinstance(row, dict) else None

    def sorts(self, rows: Iterable[Any]) -> bool:
        times = [self.time(row) for row in rows]
        known = [time for time in times if time is not None]
        return len(known) == len(times) and all(one <= next_ for one, next_ in itertools.pairwise(known))

    def span(self, query: Query, before: Any, after: Any | None) -> Query:
        """Narrow `query` to what lies from row `before` to row `after`, or to the end when that is None."""
        asked = query.data if self.of_data else query.archived
        low, high = (asked.since, asked.until) if asked else (_FIRST_INSTANT, _LAST_INSTANT)
        begin = self.time(before)
        end = self.time(after) if after is not None else None
        since = max(low, just_before(begin)) if begin else low
        until = min(high, just_after(end)) if end else high
        window = TimeWindow(since, max(until, just_after(since)))
        wide = replace(query, row_limit=query.widest)
        return replace(wide, data=window) if self.of_data else replace(wide, archived=window)


_ORDERS = (_Order("dateFrom", of_data=True), _Order("archivedDate", of_data=False))


def list_rows(fetch: Fetch, query: Query) -> Rows:
    """Read every row that `query` selects.

    Args:
        fetch: Asks the archive with the given parameters and returns the parsed JSON.
        query: What to ask for.

    Returns:
        Every row once, in the archive's order; rows that only a second look at a seam found are sorted in.

    Raises:
        GarbledAnswerError: An answer is not a listing.
        ListingIncompleteError: The pages loop, or cannot be shown to be complete.
    """
    rows = Rows()
    parts, full = _read(fetch, query, rows)
    seams = list(itertools.pairwise(parts)) + ([(parts[-1], [])] if full else [])
    if not seams:
        return rows
    order = next((order for order in _ORDERS if order.sorts(rows.distinct)), None)
    if order is not None:
        _close_seams(fetch, query, rows, order, seams)
    if len(parts) > 1:
        # Rows that seem to be in order prove nothing of one that is missing; a page holds 100 000, so two are rare.
        _read_again(fetch, query, rows)
    return rows


def _read(fetch: Fetch, query: Query, rows: Rows) -> tuple[list[list[Any]], bool]:
    """Take in every page; return the new rows of each, and whether the last page was full."""
    parts = []
    full = False
    for page in _pages(fetch, query):
        fresh = rows.add(page.rows)
        if page.following is not None and not fresh:
            raise _incomplete(query, "a page brought nothing new and yet named a next one")
        parts.append(fresh)
        full = bool(fresh) and len(page.rows) >= query.row_limit
    return parts, full


def _pages(fetch: Fetch, query: Query) -> Iterator[_Page]:
    asked = query.parameters()
    parameters: dict[str, str] | None = asked
    seen: set[frozenset[tuple[str, str]]] = set()
    while parameters is not None:
        if frozenset(parameters.items()) in seen:
            raise _incomplete(query, "a next page is one that was read already")
        if len(seen) >= query.most_pages:
            raise _incomplete(query, f"it has more than {query.most_pages} pages")
        seen.add(frozenset(parameters.items()))
        page = _parse_page(fetch(parameters), query.device_code)
        yield page
        parameters = None if page.following is None else asked | page.following
        if parameters is not None and parameters["deviceCode"] != query.device_code:
            raise _incomplete(query, "a next page is about another device")


def _close_seams(
    fetch: Fetch, query: Query, rows: Rows, order: _Order, seams: Iterable[tuple[list[Any], list[Any]]]
) -> None:
    found = rows.look_again()
    for before, after in seams:
        span = order.span(query, before[-1], after[0] if after else None)
        if span == query:
            raise _incomplete(query, "more rows lie between two pages than one page holds")
        again = list_rows(fetch, span).distinct
        if before[-1] not in again:
            raise _incomplete(query, "the last row of a page was not listed again")
        found.add(again)
    if found.distinct:
        logger.warning("device=%s rows_lost_between_pages=%d found=again", query.device_code, len(found.distinct))
        rows.distinct += found.distinct
        rows.distinct.sort(key=lambda row: order.time(row) or _LAST_INSTANT)


def _read_again(fetch: Fetch, query: Query, rows: Rows) -> None:
    again = rows.look_again()
    for page in _pages(fetch, query):
        if again.add(page.rows):
            raise _incomplete(query, "a second reading brought rows that the first had not")


def _parse_page(answer: Any, device_code: str) -> _Page:
    if not isinstance(answer, dict) or not isinstance(answer.get("files"), list):
        raise GarbledAnswerError(
            "The archive's answer is not a listing. Try again later; if it stays so, check ONC_MIRROR_ARCHIVE_URL.",
            subject=device_code,
        )
    if answer.get("messages"):
        logger.warning("device=%s archive_says=%r", device_code, one_line(_spell(answer["messages"])))
    following = answer.get("next")
    return _Page(answer["files"], _following(following, device_code) if following else None)


def _following(following: Any, device_code: str) -> dict[str, str]:
    parameters = following.get("parameters") if isinstance(following, dict) else None
    if not isinstance(parameters, dict):
        raise GarbledAnswerError(
            "The archive names a next page without its parameters. Try again later.", subject=device_code
        )
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in parameters.items()
        if name.lower() != "token" and isinstance(value, str | int | float)
    }


def _spell(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _name(row: Any) -> Any:
    name = row.get("filename") if isinstance(row, dict) else row
    return name if isinstance(name, str) else None


def _incomplete(query: Query, what: str) -> ListingIncompleteError:
    return ListingIncompleteError(
        f"The archive's listing cannot be believed: {what}. Try again later, or list a shorter window.",
        subject=query.device_code,
    )
