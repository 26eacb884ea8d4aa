"""When a file that failed is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.model import Decision, Outcome
from onc_mirror.run.ladder import climb
from tests.support.archive_files import archive_file

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DELAYS = (timedelta(minutes=30), timedelta(hours=6), timedelta(days=1))


def ended(decision: Decision = Decision.FAILED, *, blames_file: bool = True) -> Outcome:
    return Outcome(archive_file(), decision, "wrong-size", "It has 3 bytes.", blames_file=blames_file)


@pytest.mark.parametrize("decision", [Decision.FAILED, Decision.HELD])
@pytest.mark.parametrize("attempts", range(3))
def test_each_attempt_is_followed_by_its_own_pause(decision: Decision, attempts: int) -> None:
    tried = climb(ended(decision), attempts, DELAYS, now=NOON)

    assert (tried.decision, tried.next_try_at) == (decision, NOON + DELAYS[attempts])


@given(st.integers(min_value=3, max_value=10**6))
def test_at_the_end_of_the_ladder_the_file_is_quarantined_for_the_same_reason(attempts: int) -> None:
    tried = climb(ended(), attempts, DELAYS, now=NOON)

    assert (tried.decision, tried.reason, tried.next_try_at) == (Decision.QUARANTINED, "wrong-size", None)
    assert f"after {attempts + 1} attempts" in tried.detail


@given(st.integers(min_value=3, max_value=10**6))
def test_while_no_file_comes_none_is_given_up(attempts: int) -> None:
    tried = climb(ended(), attempts, DELAYS, now=NOON, others_came=False)

    assert (tried.decision, tried.next_try_at) == (Decision.FAILED, NOON + DELAYS[-1])


def test_without_a_ladder_a_file_is_given_up_at_once() -> None:
    assert climb(ended(), 0, (), now=NOON, others_came=False).decision is Decision.QUARANTINED


@given(st.integers(min_value=0, max_value=100))
def test_what_is_no_fault_of_the_file_waits_for_the_next_run_and_no_longer(attempts: int) -> None:
    outage = ended(blames_file=False)

    assert climb(outage, attempts, DELAYS, now=NOON) is outage


@pytest.mark.parametrize(
    "decision", [one for one in Decision if one not in {Decision.FAILED, Decision.HELD, Decision.FETCH}]
)
def test_a_file_that_came_to_an_end_is_left_there(decision: Decision) -> None:
    assert climb(ended(decision), 99, DELAYS, now=NOON) == ended(decision)
