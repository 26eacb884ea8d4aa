"""Faults of the listing, and files that change, vanish or are not ready."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.config import ArchiveConfig
from infra.sandbox.archive.faults import Kind
from infra.sandbox.archive.hostile import HOSTILE_ROWS
from tests.support.archive import running_archive
from tests.support.asking import Answer, ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.archive import RunningArchive

DEVICE = "TUMSTANDARDMODULE001"
NAME = f"{DEVICE}_20220502T090000.000Z-SDAQ-MODULE.hdf5"
NOON = datetime(2022, 5, 2, 12, tzinfo=UTC)


def _list(archive: RunningArchive, **parameters: Any) -> Answer:
    chosen = {"deviceCode": DEVICE, "dateFrom": "2022-05-02", "returnOptions": "all", **parameters}
    return ask(archive.api("archivefile/device", **chosen))


def _row(archive: RunningArchive, **parameters: Any) -> dict[str, Any] | None:
    rows: list[dict[str, Any]] = _list(archive, **parameters).json["files"]
    return next((row for row in rows if row.get("filename") == NAME), None)


def _download(archive: RunningArchive, name: str = NAME) -> Answer:
    return ask(archive.api("archivefile/download", filename=name))


def _listed_and_refused(archive: RunningArchive) -> tuple[bool, bool]:
    answer = _download(archive)
    refused = answer.status == 400 and answer.error_code == 96
    return _row(archive) is not None, refused


def test_not_ready_is_listed_but_refused_for_a_while(archive: RunningArchive) -> None:
    archive.fault(Kind.NOT_READY, filename=NAME, count=2)

    states = [_listed_and_refused(archive) for _ in range(3)]

    assert states == [(True, True), (True, True), (True, False)]


def test_vanished_is_neither_listed_nor_given_out(archive: RunningArchive) -> None:
    before = _listed_and_refused(archive)
    archive.fault(Kind.VANISHED, filename=NAME)

    assert before == (True, False)
    assert _listed_and_refused(archive) == (False, True)


def test_vanishing_can_be_set_for_later(archive: RunningArchive) -> None:
    archive.fault(Kind.VANISHED, filename=NAME, at=NOON + timedelta(hours=1))

    before = _listed_and_refused(archive)
    archive.set_clock(NOON + timedelta(hours=1))

    assert (before, _listed_and_refused(archive)) == ((True, False), (False, True))


def test_gone_between_is_listed_until_it_is_asked_for(archive: RunningArchive) -> None:
    archive.fault(Kind.GONE_BETWEEN, filename=NAME)

    assert _row(archive) is not None
    assert _row(archive) is not None
    assert _listed_and_refused(archive) == (False, True)


def test_re_archived_is_a_new_file_under_the_same_name(archive: RunningArchive) -> None:
    old, old_bytes = _row(archive), archive.true_bytes(NAME)
    moment = NOON + timedelta(hours=1)
    archive.fault(Kind.RE_ARCHIVED, filename=NAME, at=moment)
    assert _row(archive) == old

    archive.set_clock(moment + timedelta(minutes=1))
    new, body = _row(archive), _download(archive).body

    assert old is not None
    assert new is not None
    assert body == archive.true_bytes(NAME) != old_bytes
    assert len(body) == new["fileSize"] != old["fileSize"]
    assert new["archivedDate"] == "2022-05-02T13:00:00.000Z"
    assert new["modifyDate"] > new["archivedDate"]
    assert new["dateFrom"] == old["dateFrom"]


def test_re_archived_is_found_by_its_new_archive_time_only(archive: RunningArchive) -> None:
    for aim in (NAME, "*090000.000Z-SDAQ-MODULE*"):
        archive.faults.clear()
        archive.fault(Kind.RE_ARCHIVED, filename=aim, at=NOON)
        late = {"dateArchivedFrom": "2022-05-02T11:59:00.000Z"}
        early = {"dateArchivedTo": "2022-05-02T11:59:00.000Z"}

        assert _row(archive, **late) is not None
        assert _row(archive, **early) is None
        archive.faults.clear()
        assert _row(archive, **late) is None
        assert _row(archive, **early) is not None


def test_re_archived_can_keep_its_size(archive: RunningArchive) -> None:
    before = archive.true_bytes(NAME)
    archive.fault(Kind.RE_ARCHIVED, filename=NAME, keep_size=True)

    after = _download(archive).body

    assert len(after) == len(before) == (_row(archive) or {})["fileSize"]
    assert after != before


@pytest.mark.parametrize("name", [NAME, f"{DEVICE}_20220502T090000.000Z.txt"])
def test_re_archiving_twice_gives_a_third_file(archive: RunningArchive, name: str) -> None:
    seen = {archive.true_bytes(name)}
    for _ in range(2):
        archive.fault(Kind.RE_ARCHIVED, filename=name)
        seen.add(_download(archive, name).body)

    assert len(seen) == 3


def test_duplicate_rows_come_twice(archive: RunningArchive) -> None:
    archive.fault(Kind.DUPLICATE_ROWS, filename=NAME)

    names = _list(archive).names

    assert names.count(NAME) == 2
    assert len(names) == len(set(names)) + 1


def test_rows_can_be_changed_and_lack_keys(archive: RunningArchive) -> None:
    archive.fault(Kind.CHANGED_ROWS, filename=NAME, changes={"fileSize": None, "odd": 1}, without=("dateTo", "path"))

    row = _row(archive) or {}

    assert row["fileSize"] is None
    assert row["odd"] == 1
    assert not {"dateTo", "path"} & set(row)


def test_hostile_rows_come_on_top_of_the_true_ones(archive: RunningArchive) -> None:
    true = _list(archive).json["files"]
    archive.fault(Kind.EXTRA_ROWS, device=DEVICE)

    rows = _list(archive).json["files"]

    assert rows == [*true, *HOSTILE_ROWS]
    assert {"", None, "/etc/passwd"} < {row.get("filename") for row in rows}
    assert _download(archive, "../../../../tmp/onc-mirror-escaped.hdf5").error_code == 96


def test_rows_of_ones_own_can_be_added(archive: RunningArchive) -> None:
    archive.fault(Kind.EXTRA_ROWS, rows=({"filename": "mine.hdf5"},), count=1)

    assert _list(archive).json["files"][-1] == {"filename": "mine.hdf5"}
    assert {"filename": "mine.hdf5"} not in _list(archive).json["files"]


def test_an_empty_listing_says_why(archive: RunningArchive) -> None:
    archive.fault(Kind.EMPTY_LISTING)

    answer = _list(archive).json

    assert (answer["files"], answer["next"]) == ([], None)
    assert answer["messages"]


def test_garbled_json_ends_in_the_middle(archive: RunningArchive) -> None:
    archive.fault(Kind.GARBLED_JSON)

    answer = _list(archive)

    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json  # noqa: B018  reading it is the act


@pytest.fixture(scope="module", params=["page", "dateFrom"])
def paging(request: pytest.FixtureRequest, templates: Path) -> Iterator[RunningArchive]:
    with running_archive(templates, ArchiveConfig(paging=request.param, default_row_limit=5)) as archive:
        archive.set_clock(NOON)
        yield archive


def _pages(archive: RunningArchive, limit: int) -> list[Answer]:
    pages = [_list(archive)]
    while pages[-1].json["next"] is not None and len(pages) < limit:
        pages.append(ask(pages[-1].json["next"]["url"]))
    return pages


def test_a_page_loop_gives_the_same_page_for_ever(paging: RunningArchive) -> None:
    paging.faults.clear()
    paging.fault(Kind.PAGE_LOOP)

    pages = _pages(paging, limit=8)

    assert len(pages) == 8
    assert all(page.names == pages[0].names for page in pages)


def test_lost_rows_are_missing_between_pages(paging: RunningArchive) -> None:
    paging.faults.clear()
    whole = [name for page in _pages(paging, limit=20) for name in page.names]
    paging.fault(Kind.LOST_ROWS)

    kept = [name for page in _pages(paging, limit=20) for name in page.names]

    assert len(whole) == len(set(whole)) == 22
    assert len(kept) == 22 - 4
    assert set(kept) < set(whole)
