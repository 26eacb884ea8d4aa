"""How far a run over many slices is, and when it gives up."""

from __future__ import annotations

import pytest

from onc_mirror.backfill.enduring import MOST_IN_A_ROW, Endurance
from onc_mirror.model import Decision, Outcome
from onc_mirror.report.document import DeviceError
from onc_mirror.transfer.progress import Progress
from tests.support.archive_files import archive_file

CAUSE = DeviceError("", "stalled", "No byte.")


def test_slices_that_are_not_listed_yet_are_expected_to_hold_as_much_as_the_others() -> None:
    progress = Progress()
    progress.begun(4)
    progress.planned(2, 1000)

    progress.advanced(500)

    assert progress.bytes_expected == 4000
    assert progress.share == 0.125
    assert progress.remaining_s(10.0) == 70.0
    assert progress.label() == "0 of 2 files, 0 of 4 days of devices"
    assert progress.sentence(10.0) == "0 of 2 files, 0 of 4 days of devices, 500 B of about 4.0 kB; about 1 min left."


def test_where_nothing_is_to_be_transferred_the_slices_count() -> None:
    progress = Progress()
    progress.begun(4)
    assert (progress.share, progress.remaining_s(1.0)) == (0.0, None)

    progress.planned(0, 0)
    progress.ended()

    assert progress.share == 0.25


def test_the_bytes_of_a_file_that_will_not_come_are_not_waited_for() -> None:
    progress = Progress()
    progress.planned(2, 120_001)
    progress.advanced(60_000)

    progress.concluded(Outcome(archive_file(0), Decision.MIRRORED))
    progress.concluded(Outcome(archive_file(1), Decision.FAILED))

    assert (progress.bytes_expected, progress.share, progress.label()) == (60_000, 1.0, "2 of 2 files")


def test_what_another_run_did_counts_as_done() -> None:
    progress = Progress()
    progress.begun(4)

    progress.merged(2, 10, 500)

    assert (progress.share, progress.bytes_expected) == (0.5, 1000)
    assert progress.label() == "10 of 10 files, 2 of 4 days of devices"


@pytest.mark.parametrize("failures", [MOST_IN_A_ROW - 1, MOST_IN_A_ROW])
def test_a_run_gives_up_after_so_many_failures_in_a_row(failures: int) -> None:
    endurance = Endurance()
    for _ in range(failures):
        assert not endurance.passes_over()
        endurance.note(CAUSE)

    assert endurance.passes_over() is (failures == MOST_IN_A_ROW)
    assert endurance.surrender == ((CAUSE, 1) if failures == MOST_IN_A_ROW else None)


def test_a_slice_that_works_forgives_those_before() -> None:
    endurance = Endurance()
    for number in range(3 * MOST_IN_A_ROW):
        endurance.note(CAUSE if number % MOST_IN_A_ROW else None)

    assert not endurance.passes_over()
