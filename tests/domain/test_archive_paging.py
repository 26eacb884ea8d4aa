"""Paging against a model of the archive that pages in every known way, and loses rows on demand."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from onc_mirror.archive.paging import ROW_LIMIT, Query, list_rows
from onc_mirror.archive.rows import format_time, parse_time
from onc_mirror.errors import GarbledAnswerError, ListingIncompleteError
from onc_mirror.model import TimeWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOON = datetime(2021, 5, 3, 12, tzinfo=UTC)
CODE = "TUMLIDAR001"


def row(number: int, *, begin: int = 0, minutes: int = 5, archived: int = 0) -> dict[str, Any]:
    begins_at = NOON + timedelta(minutes=begin)
    return {
        "filename": f"{CODE}_{number}.hdf5",
        "deviceCode": CODE,
        "dateFrom": format_time(begins_at),
        "dateTo": format_time(begins_at + timedelta(minutes=minutes)),
        "archivedDate": format_time(NOON + timedelta(hours=5, minutes=archived)),
    }


def at(text: str | None, missing: datetime) -> datetime:
    return parse_time(text) or missing


@dataclass
class ModelArchive:
    """Selects, sorts and pages rows as the archive does.

    Attributes:
        rows: What there is.
        style: Which parameter of `next` moves.
        overlapping: Whether `dateFrom` selects by overlap, or by the begin alone: both readings are documented.
        skips_ties: Moves `dateFrom` past the last row instead of onto the next one.
        after: Called with the number of each answer after it was made.
        order: Sorts the rows.
        announces: Whether `next` is given at all.
        cap: Most rows of a page, whatever is asked for.
    """

    rows: list[dict[str, Any]]
    style: str = "page"
    overlapping: bool = True
    skips_ties: bool = False
    after: Callable[[int], None] = lambda _: None
    order: Callable[[dict[str, Any]], Any] = lambda row: (row["dateFrom"], row["filename"])
    announces: bool = True
    cap: int = ROW_LIMIT
    asked: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        self.asked.append(dict(parameters))
        limit, page = min(int(parameters["rowLimit"]), self.cap), int(parameters.get("page", "1"))
        selected = sorted(self.select(parameters), key=self.order)
        shown, rest = selected[(page - 1) * limit : page * limit], selected[page * limit :]
        following = self.following(parameters, shown, rest, page) if rest and self.announces else None
        self.after(len(self.asked))
        return {"files": shown, "next": following, "queryUrl": "https://x/?token=secret"}

    def select(self, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        early, late = NOON - timedelta(days=9999), NOON + timedelta(days=9999)
        since, until = at(parameters.get("dateFrom"), early), at(parameters.get("dateTo"), late)
        archived_since = at(parameters.get("dateArchivedFrom"), early)
        archived_until = at(parameters.get("dateArchivedTo"), late)
        return [
            row
            for row in self.rows
            if (at(row["dateTo"], early) > since if self.overlapping else at(row["dateFrom"], early) >= since)
            and at(row["dateFrom"], early) < until
            and archived_since <= at(row["archivedDate"], early) < archived_until
        ]

    def following(
        self, parameters: Mapping[str, str], shown: list[dict[str, Any]], rest: list[dict[str, Any]], page: int
    ) -> dict[str, Any]:
        moved: dict[str, Any] = {"page": page + 1}
        if self.style == "dateFrom":
            past_last = format_time(at(shown[-1]["dateFrom"], NOON) + timedelta(milliseconds=1))
            moved = {"dateFrom": past_last if self.skips_ties else rest[0]["dateFrom"]}
        return {
            "parameters": {**parameters, **moved, "token": "secret", "getLatest": False, "extension": None},
            "url": "https://elsewhere/?token=secret",
        }


def names(rows: list[Any]) -> list[str]:
    return [row["filename"] for row in rows]


row_lists = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 30), st.integers(0, 20)), max_size=25).map(
    lambda shapes: [
        row(number, begin=begin, minutes=minutes, archived=archived)
        for number, (begin, minutes, archived) in enumerate(shapes)
    ]
)
windows = st.none() | st.tuples(st.integers(-5, 40), st.integers(1, 60)).map(
    lambda span: TimeWindow(NOON + timedelta(minutes=span[0]), NOON + timedelta(minutes=sum(span)))
)


@settings(deadline=None)
@given(rows=row_lists, limit=st.integers(1, 30), window=windows, overlapping=st.booleans())
def test_page_style_brings_every_row_exactly_once(
    *, rows: list[dict[str, Any]], limit: int, window: TimeWindow | None, overlapping: bool
) -> None:
    archive = ModelArchive(rows, overlapping=overlapping)
    query = Query(CODE, limit, data=window)

    found = list_rows(archive, query)

    expected = sorted(archive.select(query.parameters()), key=archive.order)
    assert found.distinct == expected
    assert len(archive.asked) <= 2 * (1 + 2 * (len(expected) // limit))


@settings(deadline=None)
@given(rows=row_lists, limit=st.integers(1, 30), window=windows, skips_ties=st.booleans())
def test_date_from_style_brings_every_row_exactly_once(
    *, rows: list[dict[str, Any]], limit: int, window: TimeWindow | None, skips_ties: bool
) -> None:
    archive = ModelArchive(rows, style="dateFrom", overlapping=False, skips_ties=skips_ties)
    begins = [row["dateFrom"] for row in rows]
    assume(all(begins.count(begin) < limit for begin in begins))
    query = Query(CODE, limit, data=window)

    found = list_rows(archive, query)

    assert sorted(names(found.distinct)) == sorted(names(archive.select(query.parameters())))
    assert [row["dateFrom"] for row in found.distinct] == sorted(row["dateFrom"] for row in found.distinct)


@settings(deadline=None)
@given(
    rows=row_lists,
    cap=st.integers(1, 8),
    overlapping=st.booleans(),
    skips_ties=st.booleans(),
    style=st.sampled_from(["page", "dateFrom"]),
)
def test_archive_that_caps_its_pages_gives_all_rows_or_an_error(
    *, rows: list[dict[str, Any]], cap: int, overlapping: bool, skips_ties: bool, style: str
) -> None:
    archive = ModelArchive(rows, style=style, overlapping=overlapping, skips_ties=skips_ties, cap=cap)

    try:
        found = list_rows(archive, Query(CODE, ROW_LIMIT))
    except ListingIncompleteError:
        return

    assert sorted(names(found.distinct)) == sorted(names(rows))


@settings(deadline=None)
@given(
    rows=row_lists,
    limit=st.integers(1, 6),
    vanishing=st.sets(st.integers(0, 12), max_size=4),
    moment=st.integers(1, 6),
    in_order=st.booleans(),
)
def test_rows_that_stay_are_never_lost_to_rows_that_vanish_between_pages(
    *, rows: list[dict[str, Any]], limit: int, vanishing: set[int], moment: int, in_order: bool
) -> None:
    archive = ModelArchive(list(rows))
    if not in_order:
        archive.order = lambda row: row["filename"]
    going = [row for number, row in enumerate(rows) if number in vanishing]

    def vanish(answers: int) -> None:
        if answers == moment:
            archive.rows = [row for row in archive.rows if row not in going]

    archive.after = vanish
    try:
        found = names(list_rows(archive, Query(CODE, limit)).distinct)
    except ListingIncompleteError:
        return

    assert {row["filename"] for row in rows if row not in going} <= set(found)
    assert len(set(found)) == len(found)


@settings(deadline=None)
@given(rows=row_lists, limit=st.integers(1, 6), window=windows)
def test_archive_time_windows_page_completely(
    rows: list[dict[str, Any]], limit: int, window: TimeWindow | None
) -> None:
    later = window and TimeWindow(window.since + timedelta(hours=5), window.until + timedelta(hours=5))
    archive = ModelArchive(rows, order=lambda row: (row["archivedDate"], row["filename"]))
    query = Query(CODE, limit, archived=later)

    try:
        found = list_rows(archive, query)
    except ListingIncompleteError:
        assume(False)

    assert sorted(names(found.distinct)) == sorted(names(archive.select(query.parameters())))


def test_one_page_costs_one_request() -> None:
    archive = ModelArchive([row(number, begin=number) for number in range(4)])

    assert len(list_rows(archive, Query(CODE, 5)).distinct) == 4
    assert len(archive.asked) == 1


def test_next_parameters_are_sent_back_but_for_the_token_and_nulls() -> None:
    archive = ModelArchive([row(number, begin=number) for number in range(5)])

    list_rows(archive, Query(CODE, 4, extension="hdf5"))

    assert archive.asked[1] == Query(CODE, 4, extension="hdf5").parameters() | {"page": "2", "getLatest": "false"}


def test_identical_rows_are_dropped_and_counted() -> None:
    archive = ModelArchive([row(1), row(2), row(1), row(1)])

    found = list_rows(archive, Query(CODE, 10))

    assert (names(found.distinct), found.repeated) == ([f"{CODE}_1.hdf5", f"{CODE}_2.hdf5"], 2)


def test_rows_of_the_same_name_that_differ_are_both_kept() -> None:
    archive = ModelArchive([row(1), row(1, archived=3)])

    assert len(list_rows(archive, Query(CODE, 10)).distinct) == 2


def test_daily_files_that_begin_together_survive_a_page_border_between_them() -> None:
    rows = [row(number, begin=60 * (number // 3)) for number in range(9)]
    archive = ModelArchive(rows, style="dateFrom", skips_ties=True, overlapping=False)

    found = list_rows(archive, Query(CODE, 4))

    assert sorted(names(found.distinct)) == names(rows)


def test_silent_cap_is_noticed() -> None:
    rows = [row(number, begin=number, minutes=1) for number in range(57)]
    archive = ModelArchive(rows, announces=False, cap=50)

    found = list_rows(archive, Query(CODE, 50, widest=50))

    assert len(found.distinct) == len(rows)
    assert len(archive.asked) == 2


def test_more_ties_than_a_page_holds_are_an_error() -> None:
    archive = ModelArchive([row(number) for number in range(9)], cap=4)

    with pytest.raises(ListingIncompleteError, match="more rows lie"):
        list_rows(archive, Query(CODE, ROW_LIMIT))


@pytest.mark.parametrize(
    ("following", "match"),
    [
        ({"rowLimit": "2"}, "read already"),
        ({"page": 7}, "nothing new"),
        ({"page": 7, "deviceCode": "OTHER"}, "another device"),
    ],
    ids=["same parameters", "same rows for ever", "another device"],
)
def test_pages_that_lead_nowhere_are_an_error(following: dict[str, Any], match: str) -> None:
    pages = iter(range(100))

    def fetch(_: Mapping[str, str]) -> dict[str, Any]:
        moved = {"page": next(pages) + 7} if following == {"page": 7} else following
        return {"files": [row(1), row(2)], "next": {"parameters": moved}}

    with pytest.raises(ListingIncompleteError, match=match) as caught:
        list_rows(fetch, Query(CODE, 2))
    assert caught.value.subject == CODE


def test_border_row_that_is_not_listed_again_is_an_error() -> None:
    archive = ModelArchive([row(number, begin=number) for number in range(5)])

    def vanish(answers: int) -> None:
        if answers == 2:
            archive.rows = archive.rows[4:]

    archive.after = vanish
    with pytest.raises(ListingIncompleteError, match="not listed again"):
        list_rows(archive, Query(CODE, 4))


def test_unordered_listing_that_changes_is_an_error() -> None:
    archive = ModelArchive(
        [row(number, begin=9 - number, archived=number % 2) for number in range(9)], order=lambda row: row["filename"]
    )

    def vanish(answers: int) -> None:
        if answers == 1:
            archive.rows = archive.rows[2:]

    archive.after = vanish
    with pytest.raises(ListingIncompleteError, match="second reading"):
        list_rows(archive, Query(CODE, 4))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "text",
        {},
        {"files": None},
        {"files": {}},
        {"files": [], "next": 7},
        {"files": [], "next": {"url": ""}},
    ],
    ids=repr,
)
def test_answer_that_is_no_listing_is_an_error(answer: object) -> None:
    with pytest.raises(GarbledAnswerError) as caught:
        list_rows(lambda _: answer, Query(CODE, 10))
    assert caught.value.subject == CODE


def test_strange_rows_are_kept() -> None:
    strange: list[Any] = ["a name", 7, None, [1], {}, {"filename": None}]

    assert list_rows(lambda _: {"files": strange}, Query(CODE, 10)).distinct == strange


def test_messages_of_the_archive_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    list_rows(lambda _: {"files": [], "messages": ["restricted"]}, Query(CODE, 10))

    assert "restricted" in caplog.text


def test_pages_without_end_are_an_error() -> None:
    asked: list[int] = []

    def fetch(_: Mapping[str, str]) -> dict[str, Any]:
        asked.append(len(asked))
        return {"files": [row(len(asked))], "next": {"parameters": {"page": len(asked)}}}

    with pytest.raises(ListingIncompleteError, match="more than 20 pages"):
        list_rows(fetch, Query(CODE, 1, most_pages=20))
    assert len(asked) == 20


@pytest.mark.parametrize("year", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999999Z"])
def test_seam_at_the_ends_of_all_times_is_looked_at(year: str) -> None:
    archive = ModelArchive([row(number) | {"dateFrom": year} for number in range(6)])

    with contextlib.suppress(ListingIncompleteError):
        list_rows(archive, Query(CODE, 4))
