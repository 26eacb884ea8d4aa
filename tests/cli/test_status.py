"""`onc-mirror status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.sandbox.archive.faults import Kind

if TYPE_CHECKING:
    from tests.support.archive import RunningArchive
    from tests.support.console import Console

DEVICE = "TUMSTANDARDMODULE001"
WINDOW = ("--since", "2022-05-02T10:00", "--until", "PT2H")
NEEDED = {"ONC_TOKEN": None, "ONC_MIRROR_STORE_URL": None, "ONC_MIRROR_ARCHIVE_URL": None}


def test_an_empty_ledger_says_so(console: Console) -> None:
    people = console.run("status", **NEEDED)
    programs = console.run("status", "--json", **NEEDED)

    assert (people.code, people.out) == (0, "The ledger is empty: nothing has run yet.\n")
    assert programs.json == {"devices": [], "runs": []}


def test_status_tells_devices_and_runs_without_token_and_store(console: Console, archive: RunningArchive) -> None:
    archive.fault(Kind.NOT_READY, filename=f"{DEVICE}_20220502T100000*MODULE.hdf5")
    run = console.run("mirror", "-d", DEVICE, *WINDOW, "--json")

    answer = console.run("status", "--json", **NEEDED)
    table = console.run("status", **NEEDED).out

    (device,) = answer.json["devices"]
    assert device["files"] == {"mirrored": 1, "held": 1, "quarantined": 0, "filtered": 2, "gone": 0, "listed": 0}
    assert device["bytes"]["mirrored"] == run.json["bytes"] > 0
    assert device["watermark"] == "2022-05-02T12:00:00Z"
    assert device["newest_data_at"] == "2022-05-02T10:00:00Z"
    assert device["oldest_held_since"].endswith("Z")
    (record,) = answer.json["runs"]
    assert (record["run_id"], record["state"]) == (run.json["run_id"], "completed-with-held")
    assert f"{DEVICE}  2022-05-02T12:00:00Z         1     1 " in table
    assert record["run_id"] in table


def test_a_ledger_out_of_reach_is_one_line(console: Console) -> None:
    answer = console.run("status", ONC_MIRROR_LEDGER_URL="postgresql://me:hunter2@127.0.0.1:9/ledger")

    assert (answer.code, answer.out) == (1, "")
    assert "127.0.0.1:9/ledger cannot be reached" in answer.err
    assert "hunter2" not in answer.err
    assert len(answer.err.splitlines()) == 1
