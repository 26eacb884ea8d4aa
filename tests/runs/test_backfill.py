"""Backfills of days of data: whole, once, repeatable, and without a watermark."""

from __future__ import annotations

import itertools
import json
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.faults import Kind
from infra.sandbox.archive.sea import Span as Listed
from infra.sandbox.archive.times import to_ms
from onc_mirror.backfill.enduring import MOST_IN_A_ROW
from onc_mirror.backfill.forecasting import look_ahead
from onc_mirror.backfill.lanes import open_lane
from onc_mirror.backfill.spanning import BackfillRequest, Span, data_days
from onc_mirror.backfill.story import Work, backfill, run_slices
from onc_mirror.errors import SettingsError
from onc_mirror.model import ArchiveFile, Decision, Outcome, TimeWindow
from onc_mirror.report.document import RunReport
from onc_mirror.report.tally import MOST_NAMED, Tally
from onc_mirror.run.gathering import Inquiry, MirrorRequest
from onc_mirror.run.life import Run
from onc_mirror.selection import Selection
from onc_mirror.transfer.progress import NoSliceWatcher
from tests.support.mirrors import NOON, bench

if TYPE_CHECKING:
    from pathlib import Path

    from onc_mirror.backfill.forecasting import Forecast
    from onc_mirror.backfill.slicing import Slice
    from tests.support.archive import RunningArchive
    from tests.support.mirrors import Bench

DEVICE = "TUMSTANDARDMODULE001"
OTHER = "TUMPMTSPECTROMETER001"
# In the archive of the tests every product of a device has a file per hour.
FIRST, LAST = datetime(2022, 4, 30, tzinfo=UTC), datetime(2022, 5, 1, 23, tzinfo=UTC)
EVENING = LAST - timedelta(days=1)
"""Of the first day."""


@pytest.fixture
def mirror(archive: RunningArchive, tmp_path: Path) -> Bench:
    return bench(archive, tmp_path, backfill_requests_per_s=1000.0, concurrency=8)


def run(mirror: Bench, **changes: Any) -> RunReport:
    request: dict[str, Any] = {"since": FIRST, "until": LAST, "devices": (DEVICE,)}
    with mirror.open() as parts:
        return backfill(parts, BackfillRequest(**request | changes))


def foresee(mirror: Bench, **changes: Any) -> Forecast:
    request: dict[str, Any] = {"since": FIRST, "until": LAST, "devices": (DEVICE,)}
    with mirror.open() as parts:
        return look_ahead(parts, BackfillRequest(**request | changes))


def archived(mirror: Bench, device: str = DEVICE, *, since: datetime = FIRST, days: int = 2) -> set[str]:
    """The names of a device's HDF5 files whose data begin in whole days, by the archive itself."""
    until = since + timedelta(days=days)
    rows = mirror.archive.rows(device, extension="hdf5", data=Listed(to_ms(since), to_ms(until)))
    return {row["filename"] for row in rows if f"{since:%Y-%m-%d}" <= row["dateFrom"][:10] < f"{until:%Y-%m-%d}"}


def test_days_are_mirrored_whole_and_once(mirror: Bench) -> None:
    wanted = archived(mirror)

    first = run(mirror)

    assert len(wanted) > 40
    assert {key.rpartition("/")[2] for key in mirror.objects("raw/")} == wanted
    assert (first.mirrored, first.flow, first.exit_code) == (len(wanted), "backfill", 0)
    assert (first.since, first.until) == (FIRST, FIRST + timedelta(days=2))
    mirror.assert_promises_hold(first)
    mirror.archive.forget_requests()
    before = mirror.objects()
    again = run(mirror)
    assert (again.mirrored, again.already, again.exit_code) == (0, len(wanted), 0)
    assert [len(mirror.archive.requests_for(name)) for name in ("device", "download")] == [2, 0]
    assert mirror.objects() == before


def test_no_watermark_moves(mirror: Bench) -> None:
    run(mirror, until=EVENING)

    with mirror.open() as parts:
        assert parts.ledger.watermark(DEVICE) is None


def test_the_dry_run_says_what_the_run_then_does_and_writes_nothing(mirror: Bench) -> None:
    forecast = foresee(mirror, devices=(DEVICE, OTHER))

    assert mirror.objects() == {}
    assert mirror.ledger_states(DEVICE) == {}
    assert mirror.archive.requests_for("download") == []
    assert forecast.seconds is None
    report = run(mirror, devices=(DEVICE, OTHER))
    assert (forecast.files, forecast.bytes) == (report.mirrored, report.bytes)
    assert forecast.rest.filtered == report.filtered
    assert {(day.device, day.day) for day in forecast.days} == {
        (device, day) for device in (DEVICE, OTHER) for day in ("2022-04-30", "2022-05-01")
    }
    assert sum(day.listed for day in forecast.days) == report.listed
    after = foresee(mirror, devices=(DEVICE, OTHER))
    assert (after.files, after.rest.already, after.days) == (0, report.mirrored, ())
    assert json.loads(after.to_json())["listed"] == report.listed


def test_the_time_it_takes_is_told_from_the_speed_of_earlier_runs(mirror: Bench) -> None:
    with mirror.open() as parts:
        parts.ledger.start_run("before", "backfill", NOON)
        told = {"run_id": "before", "flow": "backfill", "window": {"since": None, "until": None}, "devices": ["A"]}
        counts = dict.fromkeys(("already", "held", "quarantined", "gone", "failed"), 0)
        one = {"device": "A", "listed": 8, "mirrored": 8, "filtered": 0, "bytes": 4_000_000, **counts}
        more = {"filtered": {}, "seconds": 4.0, "files": [], "errors": [], "by_device": [one]}
        done = RunReport.from_json(json.dumps({**one, **told, **more}))
        parts.ledger.finish_run(done, NOON)

    forecast = foresee(mirror)

    assert forecast.speed is not None
    assert (forecast.speed.bytes_per_s, forecast.speed.files_per_s, forecast.speed.runs) == (1e6, 2.0, 1)
    assert forecast.seconds == max(forecast.files / 2, forecast.bytes / 1e6)


def test_only_what_was_chosen_is_fetched_and_the_rest_left_for_nobody_to_fetch(mirror: Bench) -> None:
    rows = mirror.archive.rows(OTHER, extension="hdf5", data=Listed(to_ms(FIRST), to_ms(NOON)))
    products = {row["filename"]: row["dataProductCode"] for row in rows}
    product = products[min(archived(mirror, OTHER))]
    chosen = Selection(extensions=frozenset({"hdf5"}), products=frozenset({product}))

    report = run(mirror, devices=(OTHER,), selection=chosen)

    assert report.mirrored == len([name for name in archived(mirror, OTHER) if products[name] == product]) > 0
    assert report.filtered["product"] > 0
    assert report.listed == report.mirrored + sum(report.filtered.values())
    assert {state for state, _ in mirror.ledger_states(OTHER).values()} == {"mirrored"}
    mirror.archive.forget_requests()
    mirror.run(devices=(OTHER,))
    asked = {one.filename for one in mirror.archive.requests_for("download")}
    assert asked
    assert not asked & archived(mirror, OTHER)


def test_two_backfills_and_an_hourly_run_at_once_fetch_each_file_once(mirror: Bench) -> None:
    mirror.archive.fault(Kind.LATENCY, endpoint="download", seconds=0.05)
    mirror.settings = mirror.settings.model_copy(update={"lease": timedelta(seconds=16)})
    until = mirror.now

    with ThreadPoolExecutor(3) as pool:
        backfills = [pool.submit(run, mirror, until=until) for _ in range(2)]
        hourly = pool.submit(mirror.run, devices=(DEVICE,)).result()
        reports = [future.result() for future in backfills]

    names = [one.filename for one in mirror.archive.requests_for("download")]
    assert len(names) == len(set(names)) > 50
    assert sum(report.mirrored for report in (*reports, hourly)) == len(mirror.objects("raw/")) == len(names)
    # The backfills came back to what the others had claimed.
    assert [(report.exit_code, report.mirrored + report.already) for report in reports] == [(0, len(names))] * 2
    for report in (*reports, hourly):
        mirror.assert_promises_hold(report)


def test_what_a_dead_run_has_claimed_is_taken_over_after_its_lease(mirror: Bench) -> None:
    lease = timedelta(seconds=2)
    mirror.settings = mirror.settings.model_copy(update={"lease": lease})
    with mirror.open() as parts:
        parts.ledger.start_run("dead", "backfill", mirror.now)
        files = parts.archive.list_files(DEVICE, data=TimeWindow(FIRST, FIRST + timedelta(hours=5))).files
        parts.ledger.record_listed(files, run_id="dead", now=mirror.now)
        claim: dict[str, Any] = {"owner": "dead", "until": mirror.now + lease, "now": mirror.now}
        assert parts.ledger.leases.claim([(file, 0) for file in files], **claim).mine
    began = time.monotonic()

    with mirror.open() as parts:
        parts.clock = lambda: mirror.now + timedelta(seconds=time.monotonic() - began)
        report = backfill(parts, BackfillRequest(FIRST, EVENING, devices=(DEVICE,)))

    assert (report.exit_code, report.mirrored) == (0, len(archived(mirror, days=1)))


def test_what_another_run_keeps_for_longer_than_a_lease_stays_held(mirror: Bench) -> None:
    mirror.settings = mirror.settings.model_copy(update={"lease": timedelta(seconds=1)})
    with mirror.open() as parts:
        parts.ledger.start_run("alive", "backfill", mirror.now)
        files = parts.archive.list_files(DEVICE, data=TimeWindow(FIRST, FIRST + timedelta(hours=2))).files
        parts.ledger.record_listed(files, run_id="alive", now=mirror.now)
        claim: dict[str, Any] = {"owner": "alive", "until": mirror.now + timedelta(hours=1), "now": mirror.now}
        mine = parts.ledger.leases.claim([(file, 0) for file in files if file.extension == "hdf5"], **claim).mine

    report = run(mirror, until=EVENING)

    assert {file.reason for file in report.attention} == {"claimed-elsewhere"}
    assert (report.held, report.mirrored) == (len(mine), len(archived(mirror, days=1)) - len(mine))
    assert report.listed == report.held + report.mirrored + sum(report.filtered.values())


def test_backfills_download_no_more_at_once_than_their_share(mirror: Bench) -> None:
    mirror.archive.fault(Kind.LATENCY, endpoint="download", seconds=0.1)
    mirror.settings = mirror.settings.model_copy(update={"backfill_share": 0.25})

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(run, mirror) for _ in range(2)]:
            future.result()

    mirror.archive.wait_until_quiet()
    assert 1 < most_at_once(mirror) <= 2


def most_at_once(mirror: Bench) -> int:
    spans = [(one.began, one.began + (one.seconds or 0)) for one in mirror.archive.requests_for("download")]
    return max(sum(begin <= start < end for begin, end in spans) for start, _ in spans)


def test_a_file_whose_next_try_is_not_due_stays_held_and_only_failed_looks_at_nothing_else(mirror: Bench) -> None:
    (victim, other) = sorted(archived(mirror, since=FIRST, days=1))[:2]
    fault = mirror.archive.fault(Kind.HTML, filename=victim)
    assert run(mirror).failed == 1
    mirror.archive.faults.remove(fault)

    mirror.archive.forget_requests()
    waiting = run(mirror, only_failed=True)
    assert (waiting.listed, waiting.held, waiting.mirrored) == (1, 1, 0)
    # Of the second day nothing had failed, so it is not asked for.
    assert len(mirror.archive.requests_for("device")) == 1
    mirror.turn(mirror.now + timedelta(hours=1))
    due = run(mirror, only_failed=True)

    assert (due.listed, due.mirrored, due.exit_code) == (1, 1, 0)
    assert [one.filename for one in mirror.archive.requests_for("download")] == [victim] != [other]
    assert run(mirror, only_failed=True).listed == 0


def test_only_failed_finds_a_file_of_whose_begin_only_its_name_tells(mirror: Bench) -> None:
    victim = min(archived(mirror))
    mirror.archive.fault(Kind.CHANGED_ROWS, endpoint="device", filename=victim, without=("dateFrom",))
    fault = mirror.archive.fault(Kind.HTML, filename=victim)
    assert run(mirror).failed == 1
    mirror.archive.faults.remove(fault)
    mirror.turn(mirror.now + timedelta(hours=1))

    report = run(mirror, only_failed=True)

    assert (report.listed, report.mirrored) == (1, 1)


def test_only_failed_takes_up_what_was_given_up_and_a_plain_backfill_does_not(mirror: Bench) -> None:
    victim = min(archived(mirror))
    fault = mirror.archive.fault(Kind.HTML, filename=victim)
    mirror.settings = mirror.settings.model_copy(update={"hold_delays": ()})
    assert run(mirror).quarantined == 1
    mirror.archive.faults.remove(fault)

    assert (run(mirror).quarantined, foresee(mirror).files) == (1, 0)
    assert foresee(mirror, only_failed=True).files == 1
    report = run(mirror, only_failed=True)

    assert (report.listed, report.mirrored, report.quarantined) == (1, 1, 0)
    assert mirror.ledger_states(DEVICE)[victim] == ("mirrored", "")


def test_what_is_quarantined_for_its_bytes_is_no_failure(mirror: Bench) -> None:
    mirror.archive.fault(Kind.ZERO_TAIL, filename=min(archived(mirror)))
    assert run(mirror, until=EVENING).quarantined == 1

    assert run(mirror, until=EVENING, only_failed=True).listed == 0


def test_a_day_that_cannot_be_listed_is_told_and_costs_no_other(mirror: Bench) -> None:
    mirror.archive.fault(Kind.SERVER_ERROR, endpoint="device", device=OTHER)

    report = run(mirror, devices=(DEVICE, OTHER))

    assert report.exit_code == 1
    assert [(error.device, error.reason) for error in report.errors] == [(OTHER, "archive-busy")] * 2
    assert {error.detail[:10] for error in report.errors} == {"2022-04-30", "2022-05-01"}
    assert report.mirrored == len(archived(mirror))


def test_a_backfill_gives_up_when_day_after_day_fails(mirror: Bench) -> None:
    mirror.settings = mirror.settings.model_copy(update={"retry_delays_s": ()})
    mirror.archive.fault(Kind.SERVER_ERROR, endpoint="device")

    report = run(mirror, since=datetime(2021, 1, 1, tzinfo=UTC))

    days = (FIRST + timedelta(days=2) - datetime(2021, 1, 1, tzinfo=UTC)).days
    (surrender,) = [error for error in report.errors if not error.device]
    asked = len(mirror.archive.requests_for("device"))
    assert MOST_IN_A_ROW <= asked <= MOST_IN_A_ROW + 4
    assert f"the other {days - asked} of {days}" in surrender.detail
    assert "Repeat the backfill" in surrender.detail


def test_a_store_that_takes_nothing_ends_it_before_the_whole_range_is_downloaded(mirror: Bench) -> None:
    mirror.settings = mirror.settings.model_copy(update={"retry_delays_s": ()})
    (mirror.settings.state_dir.parent / "bucket" / "raw").write_text("in the way")

    report = run(mirror, since=datetime(2022, 1, 1, tzinfo=UTC))

    assert report.exit_code == 1
    assert report.failed > 0
    assert report.failed == report.listed - sum(report.filtered.values())
    assert any("Repeat the backfill" in error.detail for error in report.errors)
    assert len(mirror.archive.requests_for("device")) <= MOST_IN_A_ROW + 4


@pytest.mark.parametrize(
    ("since", "until", "message"),
    [
        (NOON + timedelta(days=2), None, "no data yet"),
        (datetime(1990, 1, 1, tzinfo=UTC), None, "ONC began to record in 2006"),
        (NOON - timedelta(days=1), NOON - timedelta(days=2), "ends before it begins"),
    ],
)
def test_a_range_without_data_is_refused_and_says_why(since: datetime, until: datetime | None, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        data_days(BackfillRequest(since, until), NOON)


def test_a_range_into_the_future_ends_today() -> None:
    days = data_days(BackfillRequest(NOON - timedelta(days=1), NOON + timedelta(days=300)), NOON)

    assert (days.since, days.until) == (datetime(2022, 5, 1, tzinfo=UTC), datetime(2022, 5, 3, tzinfo=UTC))


def test_the_devices_are_those_that_were_in_the_water_then(mirror: Bench) -> None:
    report = run(mirror, devices=(), selection=Selection(extensions=frozenset({"none"})))

    assert len(report.devices) > 5
    assert report.mirrored == 0


def test_what_a_run_over_years_names_is_bounded(mirror: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onc_mirror.backfill.spanning.MOST_NAMED", 10)
    mirror.archive.fault(Kind.NOT_READY, filename="*_20220501T*")

    report = run(mirror)

    named = [file.decision for file in report.files]
    assert (named.count(Decision.MIRRORED), named.count(Decision.HELD)) == (10, 10)
    assert report.unnamed == report.mirrored + report.held - 20 > 0
    assert report.is_noteworthy


def test_ten_years_of_three_devices_take_no_more_memory_than_a_day(mirror: Bench) -> None:
    codes = tuple(f"DEVICE{number:03}" for number in range(3))
    seen = itertools.count(1)

    def step(_: Work, one: Slice) -> list[Outcome]:
        next(seen)
        return [Outcome(ArchiveFile(f"{one}.hdf5", one.device_code), Decision.MIRRORED)]

    days = TimeWindow(datetime(2012, 1, 1, tzinfo=UTC), datetime(2022, 1, 1, tzinfo=UTC))
    foresee(mirror, until=EVENING)  # has imported what a backfill needs
    with mirror.open() as parts, open_lane(parts, "r") as (lane, paced):
        inquiry = Inquiry(Run("r", "backfill", mirror.now), MirrorRequest(), mirror.now)
        tally = Tally(codes, most_named=MOST_NAMED)
        work = Work(paced, Span(inquiry, codes, days), lane, tally, NoSliceWatcher())
        tracemalloc.start()
        run_slices(work, step)
        _, most_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    report = tally.report(run_id="r", flow="backfill", window=(days.since, days.until), seconds=1.0)
    assert next(seen) - 1 == report.mirrored == 10_959
    assert report.unnamed == 10_959 - MOST_NAMED
    assert most_bytes < 2_000_000
