"""How much a scrub reads, and in which order it takes objects."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.ledger.readings import ProvenBytes, Stock
from onc_mirror.scrub.share import Share, due_before, share_of, taking

NOW = datetime(2026, 11, 22, tzinfo=UTC)
STOCK = Stock(900, 9_000, 0, 0, 0, 0, NOW)


def objects(*sizes: int) -> list[ProvenBytes]:
    return [ProvenBytes("D", f"{n}.hdf5", f"raw/{n}", "00" * 32, size) for n, size in enumerate(sizes)]


def taken(share: Share, sizes: list[int]) -> list[int]:
    wants = taking(share)
    chosen = []
    for one in objects(*sizes):
        if not wants(one):
            break
        chosen.append(one.size_bytes)
    return chosen


def test_a_run_reads_its_part_of_the_days() -> None:
    assert share_of(STOCK, days=90, budget_bytes=10_000).bytes == 100


def test_new_objects_come_on_top_of_the_old() -> None:
    stock = replace(STOCK, unread_bytes=4_500)

    assert share_of(stock, days=90, budget_bytes=10_000).bytes == 4_500 + 50


def test_what_would_be_too_old_tomorrow_is_read_today() -> None:
    assert share_of(replace(STOCK, due_bytes=700), days=90, budget_bytes=10_000).bytes == 700
    assert due_before(NOW, 90) == NOW - timedelta(days=89)


def test_a_budget_that_cannot_reach_the_days_says_what_would() -> None:
    share = share_of(STOCK, days=90, budget_bytes=50)

    assert (share.bytes, share.days_needed) == (50, 180)
    assert "only once in 180 days and not in 90" in share.shortage
    assert "ONC_MIRROR_SCRUB_BUDGET to 100 B" in share.shortage
    assert not share_of(STOCK, days=90, budget_bytes=100).shortage


def test_an_object_larger_than_the_budget_is_read_alone() -> None:
    share = Share(wanted_bytes=100, budget_bytes=10, days=90, days_needed=1)

    assert taken(share, [50, 1]) == [50]
    assert taken(share, [1, 50, 1]) == [1]


def test_an_empty_mirror_needs_nothing() -> None:
    share = share_of(Stock(0, 0, 0, 0, 0, 0, None), days=90, budget_bytes=1)

    assert (share.bytes, share.shortage, taken(share, [])) == (0, "", [])


@given(
    sizes=st.lists(st.integers(0, 1000), min_size=1, max_size=30),
    budget=st.integers(1, 5000),
    days=st.integers(1, 100),
)
def test_a_run_a_day_reads_everything_within_the_days_whenever_the_budget_reaches(
    sizes: list[int], budget: int, days: int
) -> None:
    """A day after the other, oldest first: nothing is ever older than the days allow, once all was read."""
    total = sum(sizes)
    read_on = dict.fromkeys(range(len(sizes)), -1)
    fits = total <= budget * days // 2 and max(sizes) * 2 <= budget
    for day in range(3 * days):
        order = sorted(read_on, key=lambda n: (read_on[n], n))
        unread = sum(sizes[n] for n in order if read_on[n] < 0)
        due = sum(sizes[n] for n in order if 0 <= read_on[n] < day - days + 1)
        stock = Stock(len(sizes), total, 0, unread, due, 0, None)
        share = share_of(stock, days=days, budget_bytes=budget)
        sizes_taken = taken(share, [sizes[n] for n in order])
        assert sum(sizes_taken) <= max(budget, sizes_taken[0] if sizes_taken else 0)
        for n in order[: len(sizes_taken)]:
            read_on[n] = day
        if fits and day >= days and all(sizes):
            assert min(read_on.values()) >= day - days
