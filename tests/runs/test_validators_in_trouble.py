"""Validation processes that die or take too long say nothing about the bytes, until the end of the ladder."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from onc_mirror.hour import mirror_hour
from onc_mirror.run.gathering import MirrorRequest
from onc_mirror.validation import Validator
from tests.support.mirrors import DEVICE, VICTIM

if TYPE_CHECKING:
    from pathlib import Path

    from onc_mirror.model import Grade, Verdict
    from onc_mirror.report.document import RunReport
    from tests.support.mirrors import Bench

LADDER = (timedelta(minutes=30), timedelta(hours=2))
NO_TIME_S = 1e-6


@pytest.fixture
def mirror(lone_mirror: Bench) -> Bench:
    lone_mirror.settings = lone_mirror.settings.model_copy(update={"hold_delays": LADDER, "retry_delays_s": ()})
    return lone_mirror


class Deadly(Validator):
    """Its processes die of one file, by being ended for their silence at once."""

    def __init__(self, deadly: str, sound: Validator) -> None:
        super().__init__(NO_TIME_S, 2**30, processes=1)
        self._deadly = deadly
        self._sound = sound

    def validate(self, path: Path, name: str, grade: Grade) -> Verdict:
        return (
            super().validate(path, name, grade) if name == self._deadly else self._sound.validate(path, name, grade)
        )


def run_dying_of(mirror: Bench, filename: str) -> RunReport:
    with mirror.open() as parts, Deadly(filename, parts.validator) as parts.validator:
        return mirror_hour(parts, MirrorRequest(devices=(DEVICE,)))


def test_a_machine_that_has_no_time_for_validation_gives_up_no_file(mirror: Bench) -> None:
    patience = mirror.settings.validation_timeout_s
    pause = timedelta(minutes=10)
    mirror.settings = mirror.settings.model_copy(update={"validation_timeout_s": NO_TIME_S, "hold_delays": (pause,)})
    for _ in range(2):
        report = mirror.run(devices=(DEVICE,))
        assert report.held
        assert report.quarantined == 0
        mirror.turn(mirror.now + pause)

    mirror.settings = mirror.settings.model_copy(update={"validation_timeout_s": patience})
    report = mirror.run(devices=(DEVICE,))

    assert (report.held, report.exit_code) == (0, 0)
    assert not mirror.objects("quarantine/")
    mirror.assert_promises_hold(report)


def test_a_file_that_validation_dies_of_once_is_downloaded_once_held_and_then_mirrored(mirror: Bench) -> None:
    report = run_dying_of(mirror, VICTIM)

    assert [(bad.filename, bad.decision, bad.reason) for bad in report.attention] == [
        (VICTIM, "held", "validator-timeout")
    ]
    assert len(mirror.archive.requests_for("download", filename=VICTIM)) == 1
    mirror.turn(mirror.now + LADDER[0])
    assert mirror.run(devices=(DEVICE,)).exit_code == 0


def test_a_file_that_validation_always_dies_of_costs_itself_only_and_ends_in_quarantine_with_its_bytes(
    mirror: Bench,
) -> None:
    for pause in (*LADDER, LADDER[-1]):
        report = run_dying_of(mirror, VICTIM)
        mirror.assert_promises_hold(report)
        mirror.turn(mirror.now + pause)

    assert mirror.ledger_states(DEVICE)[VICTIM] == ("quarantined", "validator-timeout")
    assert {state for state, _ in mirror.ledger_states(DEVICE).values()} == {"mirrored", "quarantined", "filtered"}
    (kept, *_) = mirror.objects("quarantine/").values()
    assert kept == mirror.archive.true_sha256(VICTIM)
    assert len(mirror.archive.requests_for("download", filename=VICTIM)) == len(LADDER) + 1
