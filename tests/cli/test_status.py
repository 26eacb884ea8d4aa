"""`onc-mirror status`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.ledger import open_ledger
from onc_mirror.model import Decision, Outcome
from tests.support.archive_files import archive_file
from tests.support.raw_server import unused_url

if TYPE_CHECKING:
    from tests.support.archive import RunningArchive
    from tests.support.console import Console

DEVICE = "TUMSTANDARDMODULE001"
OTHER = "TUMLIDAR001"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
WINDOW = ("--since", "2022-05-02T10:00", "--until", "PT2H")
NEEDED = {"ONC_TOKEN": None, "ONC_MIRROR_STORE_URL": None, "ONC_MIRROR_ARCHIVE_URL": None}


@pytest.mark.parametrize("state", ["missing", "empty"])
def test_a_ledger_without_runs_says_so_and_is_not_created(quick_console: Console, state: str) -> None:
    path = quick_console.state / "ledger.db"
    if state == "empty":
        open_ledger(f"sqlite:///{path}").close()
    before = path.exists()

    people = quick_console.run("status", **NEEDED)
    programs = quick_console.run("status", "--json", **NEEDED)

    begin = {"missing": f"There is no ledger at {path}", "empty": "The ledger is empty"}[state]
    assert people.code == programs.code == 0
    assert people.out.startswith(f"{begin}: nothing has run yet. ")
    assert programs.json == {"devices": [], "files": [], "runs": []}
    assert path.exists() == before


def test_status_tells_devices_and_runs_without_token_and_store(
    quick_console: Console, archive: RunningArchive
) -> None:
    archive.fault(Kind.NOT_READY, filename=f"{DEVICE}_20220502T100000*MODULE.hdf5")
    run = quick_console.run("mirror", "-d", DEVICE, *WINDOW, "--json")

    answer = quick_console.run("status", "--json", **NEEDED)
    table = quick_console.run("status", **NEEDED).out

    (device,) = answer.json["devices"]
    assert device["files"] == {"mirrored": 1, "held": 1, "quarantined": 0, "filtered": 2, "gone": 0, "listed": 0}
    assert device["bytes"]["mirrored"] == run.json["bytes"] > 0
    assert device["watermark"] == "2022-05-02T12:00:00Z"
    assert device["newest_data_at"] == "2022-05-02T10:00:00Z"
    assert device["oldest_held_since"].endswith("Z")
    (held,) = answer.json["files"]
    assert (held["state"], held["reason"], held["device"]) == ("held", "not-ready", DEVICE)
    (record,) = answer.json["runs"]
    assert (record["run_id"], record["state"]) == (run.json["run_id"], "completed-with-held")
    assert f"{DEVICE}  2022-05-02T12:00:00Z         1     1 " in table
    assert record["run_id"] in table


@pytest.fixture
def crowded(quick_console: Console) -> Console:
    """A ledger with 23 held files of one device and a quarantined one of another, the first held the oldest."""
    with open_ledger(f"sqlite:///{quick_console.state / 'ledger.db'}") as ledger:
        ledger.start_run("r", "mirror-hour", NOON)
        for number in range(23):
            file = archive_file(number, DEVICE)
            outcome = Outcome(file, Decision.HELD, "stalled", f"{file.filename}: No byte came.", next_try_at=LATER)
            ledger.record(outcome, run_id="r", now=NOON + timedelta(minutes=number))
        other = Outcome(archive_file(99, OTHER), Decision.QUARANTINED, "truncated-file", sha256="ab")
        ledger.record(other, run_id="r", now=LATER)
        filtered = Outcome(archive_file(100, OTHER), Decision.FILTERED, "extension")
        ledger.record(filtered, run_id="r", now=NOON)
    return quick_console


def test_what_waits_is_named_with_its_reason_the_oldest_first(crowded: Console) -> None:
    told = crowded.run("status", **NEEDED).out.partition("Held and quarantined: the oldest 20 of 24\n")[2]

    heading, _, *rows = told.partition("\n\n")[0].splitlines()
    assert heading.split("  ")[0] == "file"
    assert [row.split()[0] for row in rows] == [archive_file(number, DEVICE).filename for number in range(20)]
    assert re.split("  +", rows[0])[1:] == [
        DEVICE, "held", "stalled", "2026-11-22T12:00:00Z", "1", "2026-11-22T13:00:00Z", "No byte came."
    ]  # fmt: skip
    assert "... and 4 more: --all names them.\n" in told


def test_all_and_json_name_every_file(crowded: Console) -> None:
    told = crowded.run("status", "--all", **NEEDED).out
    files = crowded.run("status", "--json", **NEEDED).json["files"]

    assert "Held and quarantined\n" in told
    assert told.count("truncated-file") == 1
    assert len(files) == 24
    assert files[-1] == {
        "filename": archive_file(99, OTHER).filename,
        "device": OTHER,
        "state": "quarantined",
        "reason": "truncated-file",
        "since": "2026-11-22T13:00:00Z",
        "attempts": 1,
        "next_try_at": None,
        "quarantine_key": None,
        "detail": "",
    }


def test_devices_and_states_are_chosen(crowded: Console) -> None:
    other = crowded.run("status", "-d", OTHER, "--json", **NEEDED).json
    filtered = crowded.run("status", "--state", "filtered", "--state", "gone", "--json", **NEEDED).json
    unlisted = crowded.run("status", "-d", "TUMLIDAR002", "--state", "gone", **NEEDED)

    assert [device["device"] for device in other["devices"]] == [OTHER]
    assert [(file["device"], file["state"]) for file in other["files"]] == [(OTHER, "quarantined")]
    assert [(file["state"], file["reason"]) for file in filtered["files"]] == [("filtered", "extension")]
    assert "The ledger has nothing of TUMLIDAR002: it was never listed." in unlisted.out
    assert "Gone: no file." in unlisted.out
    assert "r    mirror-hour" in unlisted.out


def test_a_device_that_neither_ledger_nor_table_knows_is_refused(crowded: Console) -> None:
    unknown = crowded.run("status", "-d", "NOPE", "-d", DEVICE, **NEEDED)

    assert (unknown.code, unknown.out) == (2, "")
    assert "Neither the ledger nor the device table has NOPE: 'onc-mirror devices' shows the table." in unknown.err


def test_devices_whose_listings_are_not_believed_are_told_with_the_reason(crowded: Console) -> None:
    with open_ledger(f"sqlite:///{crowded.state / 'ledger.db'}") as ledger:
        for code in (DEVICE, OTHER):
            ledger.advance_watermark(code, NOON, NOON)
        ledger.doubt_device(OTHER, "It lists 0 files; no 1.0 hours of the days before had less than 12.", LATER)

    told = crowded.run("status", **NEEDED).out.partition("Listings that are not believed\n")[2]
    devices = crowded.run("status", "--json", **NEEDED).json["devices"]

    row = told.partition("\n\n")[0].splitlines()[-1]
    assert re.split("  +", row) == [
        OTHER, "2026-11-22T13:00:00Z", "It lists 0 files; no 1.0 hours of the days before had less than 12."
    ]  # fmt: skip
    assert [(one["device"], one["suspicion"] is None, one["suspicious_since"]) for one in devices] == [
        (OTHER, False, "2026-11-22T13:00:00Z"),
        (DEVICE, True, None),
    ]


def test_a_device_that_no_run_could_list_is_not_listed_yet(quick_console: Console) -> None:
    quick_console.run("mirror", "-d", DEVICE, ONC_MIRROR_ARCHIVE_URL=unused_url())

    (device,) = quick_console.run("status", "--json", **NEEDED).json["devices"]
    told = quick_console.run("status", **NEEDED).out

    assert device["watermark"] is None
    assert re.search(rf"{DEVICE} +not listed yet ", told)


def test_a_run_that_failed_says_why(quick_console: Console) -> None:
    quick_console.run("mirror", ONC_TOKEN="wr0ng-70c3n-of-somebody")

    (run,) = quick_console.run("status", "--json", **NEEDED).json["runs"]
    told = quick_console.run("status", **NEEDED).out

    assert (run["state"], run["reason"]) == ("failed", "token-rejected")
    assert re.search(r"mirror-hour .* failed +token-rejected", told)


def test_a_run_that_gave_no_sign_of_life_was_killed(quick_console: Console) -> None:
    now = datetime.now(UTC)
    with open_ledger(f"sqlite:///{quick_console.state / 'ledger.db'}") as ledger:
        ledger.start_run("killed-1", "mirror-hour", now, alive_until=now - timedelta(seconds=1))
        ledger.start_run("alive-1", "backfill", now, alive_until=now + timedelta(hours=1))
        ledger.start_run("unknown-1", "scrub", now)

    runs = quick_console.run("status", "--json", **NEEDED).json["runs"]
    told = quick_console.run("status", **NEEDED).out

    assert {run["run_id"]: run["state"] for run in runs} == {
        "killed-1": "killed",
        "alive-1": "running",
        "unknown-1": "running",
    }
    assert re.search(r"killed-1 +mirror-hour +\S+ +killed", told)


def test_a_ledger_out_of_reach_is_one_line(quick_console: Console) -> None:
    answer = quick_console.run("status", ONC_MIRROR_LEDGER_URL="postgresql://me:hunter2@127.0.0.1:9/ledger")

    assert (answer.code, answer.out) == (1, "")
    assert "127.0.0.1:9/ledger cannot be reached" in answer.err
    assert "hunter2" not in answer.err
    assert len(answer.err.splitlines()) == 1
