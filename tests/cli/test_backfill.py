"""`onc-mirror backfill` as people run it, kill it and run it again."""

from __future__ import annotations

import re
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.archive import RunningArchive
    from tests.support.console import Answer, Console

DEVICE = "TUMSTANDARDMODULE001"
TWO_DAYS = ("backfill", "-d", DEVICE, "--since", "2022-04-30", "--until", "2022-05-01T12:00")
QUICK = {"ONC_MIRROR_BACKFILL_REQUESTS_PER_S": "1000", "ONC_MIRROR_LEASE": "PT2S"}
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
VICTIM = f"{DEVICE}_20220430T030000.000Z-SDAQ-MODULE.hdf5"


@pytest.fixture(autouse=True)
def _clock(archive: RunningArchive) -> None:
    archive.set_clock(datetime(2022, 5, 2, 12, tzinfo=UTC))


def test_a_killed_backfill_goes_on_where_it_was(console: Console, archive: RunningArchive) -> None:
    archive.fault(Kind.LATENCY, endpoint="download", seconds=0.2)
    with console.start(*TWO_DAYS, "--json", variables=QUICK) as process:
        wait_until(lambda: len(console.mirrored) >= 8)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    archive.wait_until_quiet()
    done = console.mirrored
    archive.faults.clear()
    archive.forget_requests()

    again = console.run(*TWO_DAYS, "--json", **QUICK)

    fetched = [one.filename for one in archive.requests_for("download")]
    assert (again.code, again.json["failed"], again.json["held"]) == (0, 0, 0)
    assert again.json["mirrored"] + again.json["already"] == len(console.mirrored) == 48
    assert len(fetched) == len(set(fetched)) < 48
    assert not done & set(fetched)
    archive.forget_requests()
    assert console.run(*TWO_DAYS, "--json", **QUICK).json["already"] == 48
    assert [len(archive.requests_for(name)) for name in ("device", "download")] == [2, 0]


def test_people_are_told_what_would_be_done_what_was_done_and_what_is_wrong(
    in_process: Callable[..., Answer], archive: RunningArchive
) -> None:
    archive.fault(Kind.ZERO_TAIL, filename=VICTIM)

    foreseen = in_process(*TWO_DAYS, "--dry-run", **QUICK)

    assert foreseen.code == 0
    assert f"{DEVICE}  2022-05-01     24" in foreseen.out
    assert re.search(
        r"data of 2022-04-30 to 2022-05-01 of 1 device: 48 to be fetched, [\d.]+ MB, \d+ filtered", foreseen.out
    )
    assert "How long that takes is unknown: no earlier run was measured." in foreseen.out

    done = in_process(*TWO_DAYS, **QUICK)

    assert done.code == 3
    assert re.search(
        r"(\d+) of \1 files of 1 device accounted for, data of 2022-04-30 to 2022-05-01: 47 mirrored", done.out
    )
    assert re.search(rf"Look at {re.escape(VICTIM)} \([a-z-]+\)\.", done.out)
    again = in_process(*TWO_DAYS, "--dry-run", **QUICK)
    assert "0 to be fetched" in again.out
    further = in_process("backfill", "-d", DEVICE, "--since", "2022-04-29", "--until", "P2D", "--dry-run", "--json")
    assert further.json["seconds"] > 0
    assert further.json["speed"]["flow"] == "backfill"
    assert {day["day"] for day in further.json["days"]} == {"2022-04-29"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--since", "2999-01-01"), "no data yet"),
        (("--since", "1999-01-01"), "ONC began to record in 2006"),
        ((), "Missing option '--since'"),
        (("--since", "2022-05-02", "--until", "2022-05-01"), "ends before it begins"),
    ],
)
def test_a_range_without_data_is_a_wrong_option(
    in_process: Callable[..., Answer], arguments: tuple[str, ...], told: str
) -> None:
    answer = in_process("backfill", *arguments)

    assert answer.code == 2
    assert told in answer.err


def test_the_bar_shows_how_far_the_whole_range_is(console: Console, archive: RunningArchive) -> None:
    archive.fault(Kind.LATENCY, endpoint="download", seconds=0.05)

    answer = console.run_in_terminal(*TWO_DAYS, columns=110, **QUICK)

    assert answer.code == 0
    bars = re.split(r"[\r\n]+", ANSI.sub("", answer.out))
    assert any(
        re.search(r"\d+ of (24|48) files, [01] of 2 days of devices .*/[\d.]+ MB .*0:00:\d\d", line) for line in bars
    )
