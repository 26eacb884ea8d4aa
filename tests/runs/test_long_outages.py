"""Outages longer than the ladder, or than a run can make up for: no file is given up, none is passed by."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.errors import SettingsError
from onc_mirror.model import TimeWindow
from onc_mirror.run.archive_windows import LONGEST_WINDOW
from tests.support.mirrors import on_ladder

if TYPE_CHECKING:
    from tests.support.mirrors import Bench

DEVICE = "TUMSTANDARDMODULE001"
VICTIM = "TUMSTANDARDMODULE001_20220502T110000.000Z-SDAQ-MODULE.hdf5"
CROWDED_DEVICE = "TUMPMTSPECTROMETER001"
VICTIM_IN_CROWD = "TUMPMTSPECTROMETER001_20220502T110000.000Z-SDAQ-PMTSPEC.hdf5"
LADDER = (timedelta(minutes=30), timedelta(hours=2))
SHORT_LADDER = (timedelta(minutes=10), timedelta(minutes=10))
"""Passed before many more files come."""


@pytest.fixture
def mirror(lone_mirror: Bench) -> Bench:
    return on_ladder(lone_mirror, LADDER)


def states(mirror: Bench, device: str = DEVICE) -> set[str]:
    return {state for state, _ in mirror.ledger_states(device).values()} - {"filtered"}


def pass_the_ladder(mirror: Bench, device: str = DEVICE) -> None:
    """Run as often as it takes for every file to come to the end of its ladder, and once more."""
    ladder = mirror.settings.hold_delays
    for pause in (*ladder, ladder[-1], ladder[-1]):
        mirror.run(devices=(device,))
        mirror.turn(mirror.now + pause)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        pytest.param(Kind.UNAVAILABLE, {}, id="503"),
        pytest.param(Kind.SERVER_ERROR, {}, id="500"),
        pytest.param(Kind.TOO_MANY_REQUESTS, {"seconds": 0}, id="429"),
        pytest.param(Kind.STATUS, {"status": 403}, id="403"),
        pytest.param(Kind.STATUS, {"status": 404}, id="404"),
        pytest.param(Kind.STATUS, {"status": 401}, id="401"),
        pytest.param(Kind.HTML, {}, id="html"),
        pytest.param(Kind.RESET, {"after_bytes": 0}, id="reset"),
        pytest.param(Kind.CUT, {}, id="cut"),
        pytest.param(Kind.STALL, {"after_bytes": 0}, id="stall"),
        pytest.param(Kind.ZERO_LENGTH, {}, id="empty"),
        pytest.param(Kind.NOT_READY, {"filename": "*"}, id="not-ready"),
    ],
)
def test_an_outage_over_the_whole_ladder_gives_up_no_file(mirror: Bench, kind: Kind, fields: dict[str, Any]) -> None:
    patience_s = 1.0 if kind is Kind.STALL else 30.0
    mirror.settings = mirror.settings.model_copy(update={"hold_delays": SHORT_LADDER, "stall_timeout_s": patience_s})
    mirror.archive.fault(kind, endpoint="download", **fields)
    pass_the_ladder(mirror)
    assert states(mirror) == {"held"}

    mirror.archive.faults.clear()
    report = mirror.run(devices=(DEVICE,))

    assert (states(mirror), report.exit_code) == ({"mirrored"}, 0)
    mirror.assert_promises_hold(report)


def test_an_outage_that_begins_when_a_file_has_failed_already_does_not_give_it_up(mirror: Bench) -> None:
    number = mirror.archive.fault(Kind.SHORT, filename=VICTIM, endpoint="download")
    mirror.run(devices=(DEVICE,))
    mirror.turn(mirror.now + timedelta(hours=1))
    assert mirror.run(devices=(DEVICE,)).mirrored
    mirror.archive.faults.remove(number)

    mirror.archive.fault(Kind.HTML, endpoint="download")
    mirror.turn(mirror.now + timedelta(hours=3))
    pass_the_ladder(mirror)

    assert mirror.ledger_states(DEVICE)[VICTIM] == ("held", "wrong-body")


def test_one_bad_file_among_good_ones_is_given_up(mirror: Bench) -> None:
    mirror.archive.fault(Kind.HTML, filename=VICTIM_IN_CROWD, endpoint="download")
    pass_the_ladder(mirror, CROWDED_DEVICE)

    assert mirror.ledger_states(CROWDED_DEVICE)[VICTIM_IN_CROWD] == ("quarantined", "wrong-body")
    assert states(mirror, CROWDED_DEVICE) == {"mirrored", "quarantined"}


def test_a_mirror_that_was_off_for_long_makes_up_for_it_a_bounded_window_at_a_time(mirror: Bench) -> None:
    mirror.settings = mirror.settings.model_copy(update={"extensions": ("none",)})
    mirror.run(devices=(DEVICE,))
    began = mirror.watermark(DEVICE)
    assert began is not None
    back = began + LONGEST_WINDOW + timedelta(days=1)
    mirror.turn(back)

    first, caught_up = mirror.run(devices=(DEVICE,)), mirror.watermark(DEVICE)
    second = mirror.run(devices=(DEVICE,))
    with mirror.open() as parts:
        archived = parts.archive.list_files(DEVICE, archived=TimeWindow(began, back)).files

    assert caught_up == began - mirror.settings.overlap + LONGEST_WINDOW
    assert (first.until, first.exit_code) == (caught_up, 0), "it says up to when it has listed"
    assert mirror.watermark(DEVICE) == second.until == back
    assert {file.filename for file in archived} <= mirror.ledger_states(DEVICE).keys()


def test_a_window_too_long_for_one_run_is_refused_before_anything_is_listed(mirror: Bench) -> None:
    with pytest.raises(SettingsError, match=r"at most 31 days.*backfill"):
        mirror.run(devices=(DEVICE,), since=mirror.now - timedelta(days=365))

    assert mirror.ledger_states(DEVICE) == {}
