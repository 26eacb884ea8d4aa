"""Which flows are killed on which kinds of bucket and of ledger, and all that runs there."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.kills.experiments import Experiment
from tests.kills.worlds import FLOWS, Grounds, watched_archive
from tests.support.killing import running_mother
from tests.support.ledgers import LEDGERS, require_postgresql
from tests.support.postgresql import running_postgresql
from tests.support.stores import STORES, running_ceph, running_swift

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SERVERS = {"swift": running_swift, "ceph": running_ceph}


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

    def require(self) -> None:
        """Skip the test when something is missing here that nobody has asked for by its name."""
        if self.ledger == "postgresql":
            require_postgresql()


EVERY = [Place(store, ledger, flow) for flow in FLOWS for ledger in LEDGERS for store in STORES]
"""Each with each."""

FEW = [
    Place(STORES[number % len(STORES)], LEDGERS[number % len(LEDGERS)])
    for number in range(max(len(STORES), len(LEDGERS)))
]
"""So few of the hourly run that each kind is there at least once."""


@contextmanager
def experimenting(place: Place, folder: Path) -> Iterator[Experiment]:
    """Start what a place needs and prepare an experiment on it."""
    for name in ("said", "store", "worlds"):
        (folder / name).mkdir()
    with ExitStack() as parts:
        archive = parts.enter_context(watched_archive(folder / "archive"))
        mother = parts.enter_context(running_mother(folder / "said"))
        serve = _SERVERS.get(place.store)
        endpoint = None if serve is None else parts.enter_context(serve(folder / "store"))
        server = parts.enter_context(running_postgresql()) if place.ledger == "postgresql" else None
        experiment = Experiment(Grounds(archive, folder / "worlds", endpoint, server), mother, place.flow)
        experiment.prepare()
        yield experiment
        experiment.remove()
