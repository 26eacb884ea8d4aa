"""The ledger at one moment, as a comparison reads it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from onc_mirror.ledger.snapshots import COLUMNS
from onc_mirror.model import Decision, Outcome, TimeWindow
from tests.support.archive_files import BEGIN, DEVICE, archive_file

if TYPE_CHECKING:
    from onc_mirror.ledger import Ledger

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
RUN = "20261122T120000-1"
HALF_AN_HOUR = TimeWindow(BEGIN, BEGIN + timedelta(minutes=30))


@pytest.fixture(autouse=True)
def _run(ledger: Ledger) -> None:
    ledger.start_run(RUN, "mirror-hour", NOON)


def test_it_has_the_files_whose_data_begin_in_the_window_and_those_that_are_named(ledger: Ledger) -> None:
    files = [archive_file(number) for number in (9, 5, 0, -1)]
    undated = archive_file(7, filename="undated.hdf5", begins_at=None)
    ledger.record_listed([*files, undated, archive_file(1, "OTHER")], run_id=RUN, now=NOON)

    plain = ledger.snapshot(DEVICE, HALF_AN_HOUR)
    named = ledger.snapshot(DEVICE, HALF_AN_HOUR, [files[0].filename, files[2].filename, undated.filename, "unheard"])

    assert list(plain["filename"]) == sorted(file.filename for file in files[1:3])
    assert list(named["filename"]) == sorted([*(file.filename for file in files[:3]), undated.filename])


def test_it_tells_the_row_as_last_listed_and_how_often_something_became_of_it(ledger: Ledger) -> None:
    file = archive_file()
    ledger.record_listed([file], run_id=RUN, now=NOON)
    before = ledger.snapshot(DEVICE, HALF_AN_HOUR)
    later = replace(file, archived_at=NOON)
    ledger.record(Outcome(file, Decision.HELD, "stalled"), run_id=RUN, now=NOON)
    ledger.record_listed([later], run_id=RUN, now=NOON)

    (row,) = ledger.snapshot(DEVICE, HALF_AN_HOUR).to_dict("records")

    assert set(row) == set(COLUMNS)
    assert (row["product_code"], row["begins_at"], row["archived_at"]) == (file.product_code, file.begins_at, NOON)
    assert (row["state"], row["revision"]) == ("held", before["revision"][0] + 1)


def test_an_empty_one_has_the_same_columns(ledger: Ledger) -> None:
    ledger.record_listed([archive_file()], run_id=RUN, now=NOON)

    empty = ledger.snapshot("NOBODY", HALF_AN_HOUR, ["unheard"])

    assert empty.dtypes.to_dict() == ledger.snapshot(DEVICE, HALF_AN_HOUR).dtypes.to_dict()
    assert empty.empty


def test_names_that_no_database_holds_come_back_as_they_were(ledger: Ledger) -> None:
    odd = archive_file(filename="half\ud800.hdf5")
    ledger.record_listed([odd], run_id=RUN, now=NOON)

    assert list(ledger.snapshot(DEVICE, HALF_AN_HOUR)["filename"]) == [odd.filename]
    assert list(ledger.snapshot(DEVICE, HALF_AN_HOUR, [odd.filename])["filename"]) == [odd.filename]


def test_the_first_start_of_a_flow_is_that_of_its_earliest_run(ledger: Ledger) -> None:
    ledger.start_run("earlier", "mirror-hour", NOON - timedelta(days=9))
    ledger.start_run("other", "backfill", NOON - timedelta(days=99))

    assert ledger.first_start("mirror-hour") == NOON - timedelta(days=9)
    assert ledger.first_start("scrub") is None
