from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from onc_mirror.store.files import FileStore
from onc_mirror.store.presence import Presence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from onc_mirror.model import StoredObject

DAY = "raw/TUMLIDAR001/2022/05/02/"


class CountingStore(FileStore):
    """Counts how often each prefix was listed."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.listed: Counter[str] = Counter()

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self.listed[prefix] += 1
        return super().list(prefix)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    made = CountingStore(str(tmp_path))
    for name in ("a.hdf5", "b.hdf5"):
        made.write(DAY + name, b"x", "application/octet-stream")
    return made


def test_what_is_there_may_be_there_and_what_is_not_is_not(store: CountingStore) -> None:
    known = Presence(lambda: store)

    assert known.may_hold(DAY + "a.hdf5")
    assert not known.may_hold(DAY + "c.hdf5")
    assert not known.may_hold("raw/TUMLIDAR001/2022/05/03/a.hdf5")


def test_a_folder_is_listed_once_whoever_asks_how_often(store: CountingStore) -> None:
    known = Presence(lambda: store)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(known.may_hold, [DAY + f"{number}.hdf5" for number in range(50)]))

    assert not any(answers)
    assert store.listed == {DAY: 1}


def test_a_folder_too_large_to_look_through_may_hold_everything(store: CountingStore) -> None:
    assert Presence(lambda: store, largest_folder=1).may_hold(DAY + "c.hdf5")


def test_the_folders_of_a_long_run_are_forgotten_in_turn(store: CountingStore) -> None:
    known = Presence(lambda: store)
    days = [f"raw/TUMLIDAR001/2022/05/{number}/" for number in range(100)]

    for day in (DAY, *days, DAY):
        known.may_hold(day + "a.hdf5")

    assert store.listed[DAY] == 2
    assert store.listed[days[-1]] == 1
