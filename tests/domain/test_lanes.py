"""The share of the transfers that backfills have: bounded over all of them, and paced."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from onc_mirror.archive.pacing import Pacer
from onc_mirror.backfill.lanes import count_slots, open_lane
from tests.support.mirrors import bench
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from onc_mirror.backfill.lanes import Lane
    from tests.support.archive import RunningArchive
    from tests.support.mirrors import Bench


@pytest.fixture
def mirror(archive: RunningArchive, tmp_path: Path, ledger_url: str) -> Bench:
    return bench(archive, tmp_path, ledger_url=ledger_url, concurrency=6)


@contextmanager
def opened(mirror: Bench, owner: str) -> Iterator[Lane]:
    with mirror.open() as parts, open_lane(parts, owner) as (lane, _):
        yield lane


@pytest.mark.parametrize(("changes", "slots"), [({}, 3), ({"backfill_share": 1.0}, 6), ({"backfill_share": 0.01}, 1)])
def test_a_backfill_has_its_share_and_at_least_one(mirror: Bench, changes: dict[str, Any], slots: int) -> None:
    assert count_slots(mirror.settings.model_copy(update=changes)) == slots


def test_slots_are_bounded_over_processes_and_come_back(mirror: Bench) -> None:
    with opened(mirror, "one") as one, opened(mirror, "two") as two:
        with one.slot(), one.more_slots(9) as further, two.more_slots(9) as none_left:
            assert (further, none_left) == (2, 0)
        with two.more_slots(9) as all_of_them:
            assert all_of_them == 3


def test_never_are_more_slots_in_use_than_there_are(mirror: Bench) -> None:
    lock, use = threading.Lock(), [0, 0]

    def work(lane: Lane) -> None:
        with lane.slot():
            with lock:
                use[0] += 1
                use[1] = max(use)
            with lane.more_slots(1) as more, lock:
                use[1] = max(use[1], use[0] + more)
            with lock:
                use[0] -= 1

    with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
        lanes = [stack.enter_context(opened(mirror, name)) for name in ("one", "two")]
        for future in [pool.submit(work, lane) for lane in lanes * 8]:
            future.result()

    assert 1 < use[1] <= 3


def test_who_waits_gets_the_slot_that_another_process_gives_back(mirror: Bench) -> None:
    got = threading.Event()

    def wait(lane: Lane) -> None:
        with lane.slot():
            got.set()

    with opened(mirror, "one") as one, opened(mirror, "two") as two, ThreadPoolExecutor(1) as pool:
        with one.slot(), one.more_slots(2):
            waiting = pool.submit(wait, two)
            assert not got.is_set()
        waiting.result(timeout=30)

    assert got.is_set()


def test_nobody_waits_for_ever_in_a_lane_that_is_closed(mirror: Bench) -> None:
    def wait(lane: Lane) -> None:
        with lane.slot():
            pass

    busy = opened(mirror, "one")
    with busy as one, one.slot(), one.more_slots(2), ThreadPoolExecutor(1) as pool, mirror.open() as parts:
        with open_lane(parts, "two") as (two, _):
            waiting = pool.submit(wait, two)
            wait_until(waiting.running)
        with pytest.raises(CancelledError):
            waiting.result(timeout=30)


def test_each_slot_has_an_equal_part_of_the_requests(mirror: Bench) -> None:
    mirror.settings = mirror.settings.model_copy(update={"backfill_requests_per_s": 6.0})

    with opened(mirror, "one") as lane:
        with lane.slot():
            assert lane.requests_per_s() == 2.0
        with lane.slot(), lane.more_slots(2):
            assert lane.requests_per_s() == 6.0


def test_the_pace_lets_no_more_pass_than_the_rate_whoever_comes() -> None:
    waits: list[float] = []
    pacer = Pacer(lambda: 4.0, waits.append)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: pacer.wait(), range(9)))

    # Nobody really sleeps here, so the ninth of nine waits for eight distances of a quarter of a second.
    assert len(waits) == 8
    assert max(waits) == pytest.approx(2.0, abs=0.25)
