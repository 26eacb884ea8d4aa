"""Short histories of the model that are about one thing each, and that random ones may come to late.

What must not happen is checked after each run by the model itself, as in any history.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from onc_mirror.model import State
from tests.model.history import History
from tests.model.works import HOUR, RECONCILE, backfill_of
from tests.model.world import DEVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVICE = DEVICES[0]
FILES = 6
CLAIMED = 5
"""Effects of an hour until it has claimed what it is to fetch, and no more."""


@pytest.fixture
def history() -> Iterator[History]:
    """A world whose mirror has six files of one device; at the end of the test everything must come to its end."""
    history = History()
    history.begin_with_a_good_hour()
    history.take_in_an_hour(device=DEVICE, count=4)
    history.run(after=timedelta(hours=1))
    yield history
    history.teardown()


@pytest.mark.parametrize(
    ("rows", "is_counted"), [(0, True), (3, True), (3, False)], ids=["empty", "short", "short-and-not-counted"]
)
def test_a_reconcile_does_not_believe_a_listing_that_is_cut_short(
    history: History, rows: int, *, is_counted: bool
) -> None:
    history.listings_are_cut_short(device=DEVICE, rows=rows)
    if not is_counted:
        history.archive_does_not_count(count=None)

    run = history.checked_run(RECONCILE)

    assert len(run.kept_back()) == FILES - rows
    assert (DEVICE in run.counted()) is is_counted


def test_a_backfill_comes_back_to_what_a_killed_run_had_claimed(history: History) -> None:
    history.take_in_an_hour(device=DEVICE, count=2)
    history.checked_run(HOUR, effects=CLAIMED)
    begun = [key for key, entry in history.world.entries().items() if entry.state == State.LISTED]

    run = history.checked_run(backfill_of(history.world.now))

    assert len(begun) == 2
    assert run.report is not None
    assert run.report.mirrored == 2
