"""A file archived again as one of another day, or under another layout: its old copy moves, whatever is killed."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.store import open_store
from tests.support.dying_mirror import run_and_die
from tests.support.mirrors import DEVICE, VICTIM
from tests.support.rot import rot
from tests.support.stores import STORES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.mirrors import Bench

FIRST_KEY = f"raw/{DEVICE}/2022/05/02/{VICTIM}"
SECOND_KEY = f"raw/{DEVICE}/2022/05/01/{VICTIM}"
STRAWB_KEY = f"{DEVICE.lower()}/2022_05/{VICTIM}"


@pytest.fixture(params=STORES)
def everywhere(request: pytest.FixtureRequest, bench_in: Callable[..., Bench]) -> Bench:
    """A mirror, into every kind of store, that has done an hour."""
    return filled(bench_in(request.param))


@pytest.fixture
def mirrored(mirror: Bench) -> Bench:
    """The same into a folder."""
    return filled(mirror)


def filled(mirror: Bench) -> Bench:
    assert mirror.run(devices=(DEVICE,)).mirrored == 10
    return mirror


def archive_again(mirror: Bench, *, day: str) -> None:
    """Have the archive take the victim in again with other bytes, as one that begins on another day."""
    mirror.archive.fault(Kind.RE_ARCHIVED, filename=VICTIM, at=mirror.now + timedelta(minutes=1))
    moved = {"dateFrom": f"{day}T23:59:59.000Z"}
    mirror.archive.fault(Kind.CHANGED_ROWS, endpoint="device", filename=VICTIM, changes=moved)
    mirror.turn(mirror.now + timedelta(minutes=5))


def copies(mirror: Bench) -> dict[str, str]:
    """SHA-256 of all that the store has of the victim, by key."""
    return {key: sha256 for key, sha256 in mirror.objects().items() if VICTIM in key}


def kept_key(sha256: str) -> str:
    return f"superseded/{DEVICE}/{VICTIM}.{sha256[:8]}"


def known_key(mirror: Bench) -> str:
    with mirror.open() as parts:
        entries = parts.ledger.entries(DEVICE, [VICTIM])
    return str(entries["key"].iloc[0])


def test_a_file_that_moved_to_another_day_leaves_its_old_copy_under_superseded_alone(everywhere: Bench) -> None:
    old = everywhere.objects()[FIRST_KEY]
    archive_again(everywhere, day="2022-05-01")

    report = everywhere.run(devices=(DEVICE,))

    new = everywhere.archive.true_sha256(VICTIM)
    assert new != old
    assert copies(everywhere) == {SECOND_KEY: new, kept_key(old): old}
    changed, _, kept = report.files[0].detail.partition(". The copy it replaces")
    assert changed.startswith("Archived again: its data begin at 2022-05-01T23:59:59Z, before at 2022-05-02T11:00")
    assert re.search(r"; \d+ int32 instead of \d+ int32: /counts/ch0, /counts/ch1, /counts/ch10 and \d+ ", changed)
    assert kept == f" is kept as {kept_key(old)}."
    assert known_key(everywhere) == SECOND_KEY
    everywhere.assert_promises_hold(report)
    before = everywhere.objects()
    assert everywhere.run(devices=(DEVICE,)).mirrored == 0
    assert everywhere.objects() == before


@pytest.mark.parametrize("effect", ["publish", "copy", "delete"])
def test_a_kill_between_any_two_steps_of_that_loses_and_doubles_nothing(mirrored: Bench, effect: str) -> None:
    old = mirrored.objects()[FIRST_KEY]
    archive_again(mirrored, day="2022-05-01")

    run_and_die(mirrored, f"store.{effect}", "mirror", "--device", DEVICE)

    new = mirrored.archive.true_sha256(VICTIM)
    assert known_key(mirrored) == FIRST_KEY
    assert {old, new} <= set(copies(mirrored).values())
    mirrored.archive.forget_requests()

    report = mirrored.run(devices=(DEVICE,))

    assert copies(mirrored) == {SECOND_KEY: new, kept_key(old): old}
    assert (known_key(mirrored), report.exit_code) == (SECOND_KEY, 0)
    assert not mirrored.archive.requests_for("download")
    mirrored.assert_promises_hold(report)


def test_a_copy_that_rots_before_it_is_replaced_is_kept_apart_by_the_next_run(mirrored: Bench) -> None:
    rotten = rot(mirrored, FIRST_KEY)
    mirrored.archive.fault(Kind.RE_ARCHIVED, filename=VICTIM, at=mirrored.now + timedelta(minutes=1))
    mirrored.turn(mirrored.now + timedelta(minutes=5))

    found = mirrored.run(devices=(DEVICE,))
    mirrored.turn(mirrored.now + timedelta(hours=1))
    mended = mirrored.run(devices=(DEVICE,))

    assert [(file.filename, file.reason) for file in found.attention] == [(VICTIM, "damaged-object")]
    objects = {key: sha256 for key, sha256 in copies(mirrored).items() if not key.endswith(".json")}
    bad_key = f"quarantine/{DEVICE}/{VICTIM}.{rotten[:8]}"
    assert objects == {FIRST_KEY: mirrored.archive.true_sha256(VICTIM), bad_key: rotten}
    mirrored.assert_promises_hold(mended)


def test_a_copy_that_the_ledger_never_heard_of_is_moved_too(mirrored: Bench) -> None:
    first = mirrored.objects()[FIRST_KEY]
    mirrored.archive.fault(Kind.RE_ARCHIVED, filename=VICTIM, at=mirrored.now + timedelta(minutes=1))
    mirrored.turn(mirrored.now + timedelta(minutes=5))
    run_and_die(mirrored, "store.publish", "mirror", "--device", DEVICE)
    second = mirrored.objects()[FIRST_KEY]
    archive_again(mirrored, day="2022-05-01")

    report = mirrored.run(devices=(DEVICE,))

    third = mirrored.archive.true_sha256(VICTIM)
    assert len({first, second, third}) == 3
    assert copies(mirrored) == {SECOND_KEY: third, kept_key(first): first, kept_key(second): second}
    mirrored.assert_promises_hold(report)


def test_something_else_under_the_old_key_stays_there(mirrored: Bench) -> None:
    with open_store(mirrored.settings) as store:
        store.write(FIRST_KEY, b"of somebody else", "text/plain")
    somebodys = mirrored.objects()[FIRST_KEY]
    archive_again(mirrored, day="2022-05-01")

    report = mirrored.run(devices=(DEVICE,))

    assert copies(mirrored) == {SECOND_KEY: mirrored.archive.true_sha256(VICTIM), FIRST_KEY: somebodys}
    assert (report.mirrored, report.exit_code) == (1, 0)


def test_a_file_that_comes_back_to_its_first_day_is_mirrored_there_again(mirrored: Bench) -> None:
    first = mirrored.objects()[FIRST_KEY]
    archive_again(mirrored, day="2022-05-01")
    mirrored.run(devices=(DEVICE,))
    second = mirrored.objects()[SECOND_KEY]
    archive_again(mirrored, day="2022-05-02")

    mirrored.run(devices=(DEVICE,))

    third = mirrored.archive.true_sha256(VICTIM)
    assert copies(mirrored) == {FIRST_KEY: third, kept_key(first): first, kept_key(second): second}


def test_another_layout_moves_nothing_but_what_comes_again(mirrored: Bench) -> None:
    before = mirrored.objects()
    old = before[FIRST_KEY]
    mirrored.settings = mirrored.settings.model_copy(update={"layout": "strawb"})
    mirrored.archive.forget_requests()

    unmoved = mirrored.run(devices=(DEVICE,))

    assert mirrored.objects() == before
    assert unmoved.already
    assert unmoved.mirrored == 0
    assert not mirrored.archive.requests_for("download")

    mirrored.archive.fault(Kind.RE_ARCHIVED, filename=VICTIM, at=mirrored.now + timedelta(minutes=1))
    mirrored.turn(mirrored.now + timedelta(minutes=5))
    mirrored.run(devices=(DEVICE,))

    assert copies(mirrored) == {STRAWB_KEY: mirrored.archive.true_sha256(VICTIM), kept_key(old): old}
    assert known_key(mirrored) == STRAWB_KEY
    assert len(mirrored.objects("raw/")) == 9
