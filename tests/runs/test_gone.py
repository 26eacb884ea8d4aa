"""What is called gone is gone: nothing else makes a file so, however little the archive says at a moment."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.gathering import MirrorRequest
from onc_mirror.mirroring import mirror_hour
from onc_mirror.run_transfers import NoWatcher

if TYPE_CHECKING:
    from tests.support.archive import RunningArchive
    from tests.support.mirrors import Bench

DEVICE = "TUMPMTSPECTROMETER001"
VICTIM = "TUMPMTSPECTROMETER001_20220502T110000.000Z-SDAQ-PMTSPEC.hdf5"
HOUR = timedelta(hours=1)


class EmptyingArchive(NoWatcher):
    """Lets the archive list nothing from the moment at which the transfers begin."""

    def __init__(self, archive: RunningArchive) -> None:
        self._archive = archive

    def planned(self, files: int, size_bytes: int) -> None:
        assert files
        assert size_bytes
        self._archive.fault(Kind.EMPTY_LISTING)


def states(mirror: Bench) -> Counter[str]:
    return Counter(state for state, _ in mirror.ledger_states(DEVICE).values())


def test_files_that_are_neither_handed_out_nor_listed_for_a_moment_are_held(lone_mirror: Bench) -> None:
    lone_mirror.archive.fault(Kind.NOT_READY, filename="*", endpoint="download")
    with lone_mirror.open() as parts:
        report = mirror_hour(parts, MirrorRequest(devices=(DEVICE,)), EmptyingArchive(lone_mirror.archive))

    assert (report.exit_code, report.held, report.gone) == (3, 10, 0)
    assert {file.reason for file in report.files if file.decision == "held"} == {"not-ready"}
    lone_mirror.archive.faults.clear()
    lone_mirror.turn(lone_mirror.now + 3 * HOUR)
    later = lone_mirror.run(devices=(DEVICE,))
    assert (later.exit_code, later.gone) == (0, 0)
    assert set(states(lone_mirror)) == {"mirrored", "filtered"}
    lone_mirror.assert_promises_hold(later)


@pytest.mark.parametrize("kind", [Kind.NOT_READY, None])
def test_a_file_with_data_of_the_future_is_listed_like_any_other(lone_mirror: Bench, kind: Kind | None) -> None:
    dates = {"dateFrom": "2099-01-01T00:00:00.000Z", "dateTo": "2099-01-01T01:00:00.000Z"}
    lone_mirror.archive.fault(Kind.CHANGED_ROWS, filename=VICTIM, changes=dates)
    if kind is not None:
        lone_mirror.archive.fault(kind, filename=VICTIM)

    report = lone_mirror.run(devices=(DEVICE,))

    assert report.gone == 0
    assert lone_mirror.ledger_states(DEVICE)[VICTIM][0] == ("held" if kind else "mirrored")
