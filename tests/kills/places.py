"""Which flows are killed on which kinds of bucket and of ledger, and all that runs there but their servers."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.kills.experiments import Experiment
from tests.kills.worlds import FLOWS, Grounds, watched_archive
from tests.support.killing import running_mother
from tests.support.ledgers import LEDGERS
from tests.support.stores import STORES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of bucket and a kind of ledger, and what is done between them.

    Attributes:
        store: `file`, `swift` or `ceph`.
        ledger: `sqlite` or `postgresql`.
        flow: What is killed there: `mirror` or `backfill`.
    """

    store: str
    ledger: str
    flow: str = "mirror"

    def __str__(self) -> str:
        return f"{self.flow}-{self.store}-{self.ledger}"


EVERY = [Place(store, ledger, flow) for flow in FLOWS for ledger in LEDGERS for store in STORES]
"""Each with each."""

FEW = [
    Place(STORES[number % len(STORES)], LEDGERS[number % len(LEDGERS)])
    for number in range(max(len(STORES), len(LEDGERS)))
]
"""So few of the hourly run that each kind is there at least once."""


@contextmanager
def experimenting(place: Place, folder: Path, server_of: Callable[[str], Any]) -> Iterator[Experiment]:
    """Start what a place needs and prepare an experiment on it.

    Args:
        place: The place.
        folder: For all that is written to disk.
        server_of: Gives the running server of a kind of bucket or ledger.
    """
    for name in ("said", "worlds"):
        (folder / name).mkdir()
    endpoint = None if place.store == "file" else server_of(place.store)
    server = None if place.ledger == "sqlite" else server_of(place.ledger)
    with watched_archive(folder / "archive") as archive, running_mother(folder / "said") as mother:
        experiment = Experiment(Grounds(archive, folder / "worlds", endpoint, server), mother, place.flow)
        experiment.prepare()
        yield experiment  # what it leaves on the servers ends with them; they may be gone by now
