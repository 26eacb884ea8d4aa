"""What is counted, what the ledger keeps of it, and what is told."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine

from onc_mirror.archive import OncArchive
from onc_mirror.errors import LedgerUnavailableError, NotReadyError, StalledError, TransientError
from onc_mirror.ledger.counters import Counters, Series
from onc_mirror.ledger.transactions import Transactions
from onc_mirror.metrics.exposition import OTHER, LedgerCollector, take_picture, write_file
from onc_mirror.metrics.meter import ASKED_AT, FILES, STAGE_RUNS, STAGE_SECONDS, Meter, Stage
from onc_mirror.model import Decision, Outcome, State
from onc_mirror.repeats import repeats_heard
from onc_mirror.settings import MetricsSettings
from tests.support.archive_files import DEVICE, archive_file
from tests.support.reports import build_report

if TYPE_CHECKING:
    from pathlib import Path

    from onc_mirror.ledger import Ledger

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
RUN = "20261122T120000-1"


def test_what_is_handed_over_twice_adds_up_and_moments_never_go_back(ledger: Ledger) -> None:
    meter = Meter()
    for now in (LATER, NOON):
        with meter.timing(Stage.DOWNLOAD):
            meter.asked(DEVICE, now)
        meter.ended(Outcome(archive_file(), Decision.MIRRORED, size_bytes=7))
        meter.hand_over(ledger.counters)
    meter.hand_over(ledger.counters)

    kept = ledger.counters.read()

    assert kept[Series(FILES, DEVICE, "mirrored")] == 2
    assert kept[Series("bytes", DEVICE)] == 14
    assert kept[Series(ASKED_AT, DEVICE)] == LATER.timestamp()
    assert kept[Series(STAGE_RUNS, kind="download")] == 2
    assert kept[Series(STAGE_SECONDS, kind="download")] > 0


def test_an_attempt_that_fails_is_timed_too(ledger: Ledger) -> None:
    meter = Meter()
    with pytest.raises(StalledError), meter.timing(Stage.DOWNLOAD):
        raise StalledError("No byte came.")

    meter.hand_over(ledger.counters)

    assert ledger.counters.read()[Series(STAGE_RUNS, kind="download")] == 1


def test_what_a_ledger_does_not_take_is_kept_for_the_next_time(ledger: Ledger) -> None:
    meter = Meter()
    meter.asked(DEVICE, NOON)
    meter.repeated(StalledError("No byte came."))
    nowhere = Counters(Transactions(create_engine("sqlite:////no/such/folder/ledger.db"), "nowhere"))
    with pytest.raises(LedgerUnavailableError):
        meter.hand_over(nowhere)

    meter.hand_over(ledger.counters)

    assert ledger.counters.read() == {Series(ASKED_AT, DEVICE): NOON.timestamp(), Series("retries", "", "stalled"): 1}


@pytest.mark.parametrize(
    ("failures", "kind", "repeats"), [(1, StalledError, 1), (5, StalledError, 2), (5, NotReadyError, 0)]
)
def test_quick_repeats_are_heard_and_the_last_failure_is_none(
    failures: int, kind: type[TransientError], repeats: int
) -> None:
    left = [kind("No.", retry_after_s=0.0) for _ in range(failures)]
    heard: list[str] = []

    def call() -> str:
        if left:
            raise left.pop()
        return "done"

    settings = {"connect_timeout_s": 1, "stall_timeout_s": 1, "quick_retries": 2, "connections": 1}
    with (
        OncArchive("http://127.0.0.1/", SecretStr("none"), **settings) as archive,
        repeats_heard(lambda error: heard.append(error.reason)),
    ):
        if failures <= repeats:
            assert archive.repeat_quickly(call) == "done"
        else:
            with pytest.raises(kind):
                archive.repeat_quickly(call)

    assert heard == [kind.reason] * repeats


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    """A ledger with a device of the table, one that is not in it, runs that ended and one that was killed."""
    ledger.start_run(RUN, "mirror-hour", NOON, alive_until=LATER)
    ledger.start_run("killed", "backfill", NOON, alive_until=NOON)
    old, new, other = archive_file(0), archive_file(1), archive_file(2, "STRANGER")
    outcomes = [
        Outcome(file, Decision.MIRRORED, size_bytes=1, sha256="ab", key=file.filename) for file in (old, other)
    ]
    ledger.record_many(outcomes, run_id=RUN, now=NOON)
    ledger.record(Outcome(new, Decision.HELD, "stalled", "No byte came."), run_id=RUN, now=NOON)
    ledger.advance_watermark(DEVICE, NOON, NOON)
    ledger.beginnings.note("STRANGER", NOON)
    ledger.doubt_device(DEVICE, "It lists nothing.", NOON)
    report = build_report(
        run_id=RUN, flow="mirror-hour", window=(None, NOON), devices=[DEVICE], outcomes=[], errors=[], seconds=60
    )
    ledger.finish_run(report, LATER)
    return ledger


def values(ledger: Ledger, folder: Path, now: datetime) -> dict[tuple[str, ...], float]:
    picture = take_picture(ledger, folder, now)
    families = LedgerCollector(lambda: picture, {DEVICE}).collect()
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_devices_and_runs_are_told_as_they_stand(told: Ledger, tmp_path: Path) -> None:
    slot = tmp_path / "onc-mirror-scratch" / "onc-mirror-run-1-abcdefgh" / "slot"
    slot.mkdir(parents=True)
    (slot / "a.part").write_bytes(b"x" * 100)

    seen = values(told, tmp_path, LATER)

    file = archive_file(0)
    assert file.ends_at
    assert seen["onc_mirror_files", DEVICE, "mirrored"] == seen["onc_mirror_files", DEVICE, "held"] == 1
    assert seen["onc_mirror_oldest_held_timestamp_seconds", DEVICE] == NOON.timestamp()
    assert seen["onc_mirror_newest_data_timestamp_seconds", DEVICE] == file.ends_at.timestamp()
    assert seen["onc_mirror_watermark_timestamp_seconds", DEVICE] == NOON.timestamp()
    assert seen["onc_mirror_listing_doubted", DEVICE] == 1
    assert seen["onc_mirror_last_end_timestamp_seconds", "mirror-hour"] == LATER.timestamp()
    assert seen["onc_mirror_last_run_seconds", "mirror-hour"] == 3600
    assert seen["onc_mirror_runs_total", "backfill", "killed"] == 1
    assert seen["onc_mirror_scratch_bytes",] == 100
    assert seen["onc_mirror_ledger_bytes",] > 0


def test_the_file_can_be_read_by_another_user_than_that_of_the_runs(told: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "onc-mirror.prom"
    before = os.umask(0o027)
    try:
        write_file(file, told, MetricsSettings.model_validate({"state_dir": tmp_path}), LATER)
    finally:
        os.umask(before)

    assert file.stat().st_mode & 0o777 == 0o644


def test_labels_are_bounded_by_the_device_table(told: Ledger, tmp_path: Path) -> None:
    meter = Meter()
    meter.ended(Outcome(archive_file(2, "STRANGER"), Decision.MIRRORED, size_bytes=7))
    meter.hand_over(told.counters)

    seen = values(told, tmp_path, LATER)

    assert (
        seen["onc_mirror_files", OTHER, "mirrored"] == seen["onc_mirror_worked_files_total", OTHER, "mirrored"] == 1
    )
    assert seen["onc_mirror_transferred_bytes_total", OTHER] == 7
    assert not [name for name in seen if "STRANGER" in name]


def test_an_empty_ledger_tells_zeros_and_no_moments(ledger: Ledger, tmp_path: Path) -> None:
    seen = values(ledger, tmp_path / "not" / "there", NOON)

    assert [seen["onc_mirror_files", DEVICE, state] for state in State] == [0] * len(State)
    assert seen["onc_mirror_retries_total", "stalled"] == 0
    assert seen["onc_mirror_scratch_free_bytes",] > 0
    assert not [name for name in seen if name[0].endswith("_timestamp_seconds")]
