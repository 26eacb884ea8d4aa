"""How often a file was tried in vain at the row that the archive has of it, and whether others came."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from onc_mirror.ledger.trials import Tried
from onc_mirror.model import Decision, Outcome
from tests.support.archive_files import archive_file

if TYPE_CHECKING:
    from onc_mirror.ledger import Ledger
    from onc_mirror.model import ArchiveFile

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FILE = archive_file(archived_at=NOON - HOUR, modified_at=None)
NEWER = replace(FILE, archived_at=NOON - HOUR / 2)
RESIZED = replace(FILE, stored_bytes=7)


@pytest.fixture(autouse=True)
def _run(ledger: Ledger) -> None:
    ledger.start_run("run", "mirror-hour", NOON)


def fail(ledger: Ledger, file: ArchiveFile, now: datetime = NOON, *, blames_file: bool = True) -> None:
    ledger.record(Outcome(file, Decision.FAILED, "stalled", blames_file=blames_file), run_id="run", now=now)


def test_attempts_at_the_same_row_add_up(ledger: Ledger) -> None:
    assert ledger.trials.of(FILE) == Tried(0, None)

    for hour in range(3):
        fail(ledger, FILE, NOON + hour * HOUR)

    assert ledger.trials.of(FILE) == Tried(3, NOON)


@pytest.mark.parametrize("changed", [NEWER, RESIZED], ids=["newer", "resized"])
def test_attempts_at_a_row_that_was_replaced_do_not_count(ledger: Ledger, changed: ArchiveFile) -> None:
    fail(ledger, FILE)
    fail(ledger, FILE)
    assert ledger.trials.of(changed) == Tried(0, NOON)

    fail(ledger, changed)

    assert ledger.trials.of(changed) == Tried(1, NOON)


def test_a_stale_answer_begins_nothing_anew(ledger: Ledger) -> None:
    for file in (NEWER, FILE, NEWER):
        fail(ledger, file)

    assert ledger.trials.of(NEWER) == Tried(3, NOON)


def test_an_outage_is_no_attempt_and_settles_nothing(ledger: Ledger) -> None:
    fail(ledger, FILE)
    fail(ledger, NEWER, blames_file=False)

    assert (ledger.trials.of(FILE).failed, ledger.trials.of(NEWER).failed) == (1, 0)


def test_others_came_after_a_moment_and_not_in_a_future_that_a_wrong_clock_wrote(ledger: Ledger) -> None:
    for number, moment in enumerate((NOON, NOON + 400 * 24 * HOUR)):
        mirrored = Outcome(archive_file(number), Decision.MIRRORED, key="k", sha256="ab")
        ledger.record(mirrored, run_id="run", now=moment)

    assert ledger.trials.others_came(NOON - HOUR, NOON)
    assert not ledger.trials.others_came(NOON, NOON + HOUR)
