"""Who works on what: of several that claim, one gets it, and that of a dead one is taken over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from onc_mirror.ledger import open_ledger
from onc_mirror.model import Decision, Outcome
from onc_mirror.run.heartbeat import beating
from tests.support.archive_files import archive_file
from tests.support.reports import build_report
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from onc_mirror.ledger import Ledger
    from onc_mirror.ledger.leases import Claimed
    from onc_mirror.model import ArchiveFile

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LEASE = timedelta(minutes=2)
FILES = tuple(archive_file(filename=f"file{number:04}.hdf5") for number in range(700))


@pytest.fixture(autouse=True)
def _runs(ledger: Ledger) -> None:
    for name in ("one", "two"):
        ledger.start_run(name, "mirror-hour", NOON)
    ledger.record_listed(FILES, run_id="one", now=NOON)


def claim(
    ledger: Ledger, files: tuple[ArchiveFile, ...], owner: str, *, now: datetime = NOON, revision: int = 0
) -> Claimed:
    return ledger.leases.claim([(file, revision) for file in files], owner=owner, until=now + LEASE, now=now)


def test_what_one_claimed_another_does_not_get_and_is_told_until_when(ledger: Ledger) -> None:
    assert set(claim(ledger, FILES[:2], "one").mine) == set(FILES[:2])

    second = claim(ledger, FILES[:3], "two")

    assert second.mine == (FILES[2],)
    assert second.elsewhere == {FILES[0]: NOON + LEASE, FILES[1]: NOON + LEASE}


def test_claiming_again_is_harmless(ledger: Ledger) -> None:
    claim(ledger, FILES[:2], "one")

    assert set(claim(ledger, FILES[:2], "one").mine) == set(FILES[:2])


def test_a_lease_that_is_over_is_taken_over(ledger: Ledger) -> None:
    claim(ledger, FILES[:1], "one")

    assert claim(ledger, FILES[:1], "two", now=NOON + LEASE).mine == FILES[:1]


def test_a_renewed_lease_is_not(ledger: Ledger) -> None:
    claim(ledger, FILES[:1], "one")
    ledger.leases.renew("one", NOON + 2 * LEASE)

    assert claim(ledger, FILES[:1], "two", now=NOON + LEASE).mine == ()


def test_a_lease_that_a_clock_far_ahead_took_is_taken_over(ledger: Ledger) -> None:
    claim(ledger, FILES[:1], "one", now=NOON + timedelta(days=400))

    assert claim(ledger, FILES[:1], "two").mine == FILES[:1]


def test_a_released_lease_is_free(ledger: Ledger) -> None:
    claim(ledger, FILES[:1], "one")
    ledger.leases.release("one")

    assert claim(ledger, FILES[:1], "two").mine == FILES[:1]


def test_a_file_that_came_to_an_end_since_it_was_planned_is_not_claimed(ledger: Ledger) -> None:
    claim(ledger, FILES[:1], "one")
    ledger.record(Outcome(FILES[0], Decision.HELD, "stalled"), run_id="one", now=NOON)

    second = claim(ledger, FILES[:1], "two")

    assert (second.mine, second.changed) == ((), FILES[:1])
    assert claim(ledger, FILES[:1], "two", revision=1).mine == FILES[:1]


def test_an_outcome_of_a_run_whose_lease_was_taken_over_leaves_the_new_one_alone(ledger: Ledger) -> None:
    claim(ledger, FILES[:1], "one")
    claim(ledger, FILES[:1], "two", now=NOON + LEASE)
    ledger.record(Outcome(FILES[0], Decision.HELD, "stalled"), run_id="one", now=NOON + LEASE)

    third = claim(ledger, FILES[:1], "three", now=NOON + LEASE, revision=1)

    assert third.elsewhere == {FILES[0]: NOON + 2 * LEASE}


def conclude(ledger: Ledger, owner: str, decision: Decision = Decision.GONE) -> bool:
    return ledger.record(Outcome(FILES[0], decision, "told"), run_id=owner, now=NOON + LEASE, claimed=True)


def state(ledger: Ledger) -> str:
    return str(ledger.entries(FILES[0].device_code, [FILES[0].filename])["state"].item())


def test_a_run_keeps_its_claim_after_its_lease_as_long_as_nobody_took_it(ledger: Ledger) -> None:
    claim(ledger, FILES[:1], "one")

    assert ledger.claims.keep(FILES[0], owner="one", until=NOON + 3 * LEASE)

    assert claim(ledger, FILES[:1], "two", now=NOON + 2 * LEASE).mine == ()
    assert conclude(ledger, "one")
    assert state(ledger) == "gone"


def test_a_run_whose_claim_was_taken_over_neither_keeps_it_nor_enters_an_outcome(ledger: Ledger) -> None:
    claim(ledger, FILES[:1], "one")
    claim(ledger, FILES[:1], "two", now=NOON + LEASE)

    assert not ledger.claims.keep(FILES[0], owner="one", until=NOON + 3 * LEASE)
    assert not conclude(ledger, "one")
    assert state(ledger) == "listed"

    assert conclude(ledger, "two", Decision.HELD)
    assert not conclude(ledger, "one")
    assert state(ledger) == "held"


@pytest.mark.usefixtures("ledger")
def test_of_many_that_claim_at_once_each_file_goes_to_one(ledger_url: str) -> None:
    def run(owner: str) -> tuple[ArchiveFile, ...]:
        with open_ledger(ledger_url) as own:
            return claim(own, FILES, owner).mine

    with ThreadPoolExecutor(6) as pool:
        claimed = list(pool.map(run, [f"run{number}" for number in range(6)]))

    assert sorted(file.filename for mine in claimed for file in mine) == [file.filename for file in FILES]


def test_slots_are_bounded_over_all_owners(ledger: Ledger) -> None:
    def take(owner: str, wanted: int, now: datetime = NOON) -> int:
        return ledger.leases.take_slots("backfill", wanted=wanted, total=4, owner=owner, until=now + LEASE, now=now)

    assert (take("one", 3), take("two", 3), take("three", 1)) == (3, 1, 0)
    ledger.leases.return_slots("backfill", "two", count=1)
    ledger.leases.return_slots("backfill", "one", count=2)
    assert take("three", 9) == 3
    assert take("four", 9, NOON + LEASE) == 4


@pytest.mark.usefixtures("ledger")
def test_slots_taken_at_once_are_never_more_than_there_are(ledger_url: str) -> None:
    def run(owner: str) -> int:
        with open_ledger(ledger_url) as own:
            return own.leases.take_slots("backfill", wanted=2, total=5, owner=owner, until=NOON + LEASE, now=NOON)

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(run, [f"run{number}" for number in range(6)])) == 5


def test_a_beating_run_keeps_its_files_and_lets_go_at_its_end(ledger: Ledger) -> None:
    lease = timedelta(seconds=0.3)
    began = datetime.now(UTC)

    def free(now: datetime) -> bool:
        return bool(ledger.leases.claim([(FILES[0], 0)], owner="two", until=now + LEASE, now=now).mine)

    with beating(ledger, "one", lease, lambda: datetime.now(UTC)):
        ledger.leases.claim([(FILES[0], 0)], owner="one", until=began + lease, now=began)
        wait_until(lambda: datetime.now(UTC) > began + 5 * lease)
        assert not free(datetime.now(UTC))

    assert free(datetime.now(UTC))


def test_a_run_that_gives_no_sign_of_life_has_died_and_one_that_ended_has_not(ledger: Ledger) -> None:
    names = ("silent", "ended", "alive")
    for name in names:
        ledger.start_run(name, "backfill-part", NOON, alive_until=NOON + LEASE)
    report = build_report(
        run_id="ended", flow="backfill-part", window=(None, None), devices=(), outcomes=(), errors=(), seconds=1.0
    )
    ledger.finish_run(report, NOON)
    ledger.leases.renew("alive", NOON + 3 * LEASE)

    died = [name for name in (*names, "never begun") if ledger.leases.has_died(name, NOON + 2 * LEASE)]

    assert died == ["silent"]
    assert not ledger.leases.has_died("silent", NOON)
