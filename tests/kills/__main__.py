"""Kills the mirror at every boundary on every kind of bucket and ledger, and then at random moments, and counts.

    python -m tests.kills                          every boundary, 50 random moments on each place
    python -m tests.kills --boundaries 20          so many of the boundaries of each place, evenly spread
    python -m tests.kills --random 200 --seed 7    the random moments of an earlier run again

`ONC_MIRROR_TEST_STORES` and `ONC_MIRROR_TEST_LEDGERS` say on what, as for the tests. Exit code 1 when anything was
not as promised.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.kills.places import EVERY, Place, experimenting
from tests.kills.worlds import FLOWS
from tests.support.effects import boundaries
from tests.support.postgresql import running_postgresql
from tests.support.stores import running_ceph, running_swift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kills.experiments import Aftermath, Experiment
    from tests.support.effects import Boundary


def main() -> int:
    """Kill as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description="Kill the mirror, many times.")
    parser.add_argument("--flow", choices=FLOWS, help="kill only this one (each)")
    parser.add_argument("--boundaries", type=int, default=sys.maxsize, help="at most, on each place (all)")
    parser.add_argument("--random", type=int, default=50, help="random moments on each place (50)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of the random moments")
    chosen = parser.parse_args()
    _say(f"seed {chosen.seed}")
    dice = random.Random(chosen.seed)  # noqa: S311 - no secret hangs on it
    places = [place for place in EVERY if chosen.flow in {None, place.flow}]
    wrong = sum(_kill_on(place, chosen.boundaries, chosen.random, dice) for place in places)
    _say(f"{wrong} kills ended otherwise than promised")
    return int(wrong > 0)


def _kill_on(place: Place, most: int, moments: int, dice: random.Random) -> int:
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="onc-mirror-kills-") as folder,
        ExitStack() as servers,
        experimenting(place, Path(folder), partial(_serve, servers, Path(folder))) as experiment,
    ):
        chosen = _spread(boundaries(experiment.trace), most)
        exact = list(_tell(place, ((str(one), experiment.kill_at(one)) for one in chosen)))
        random_ones = list(_tell(place, _at_random(experiment, moments, dice)))
    ends = [*exact, *random_ones]
    killed, wrong = sum(end.killed for end in ends), sum(bool(end.wrong) for end in ends)
    passed = sum(end.killed for end in exact)
    _say(
        f"{place}: {killed} kills, {passed} of them at boundaries and {killed - passed} at random moments;"
        f" {len(ends) - killed} runs ended before; {wrong} wrong; {time.monotonic() - began:.0f} s"
    )
    return wrong


def _serve(servers: ExitStack, folder: Path, kind: str) -> Any:
    if kind == "postgresql":
        return servers.enter_context(running_postgresql())
    (folder / kind).mkdir()
    return servers.enter_context((running_swift if kind == "swift" else running_ceph)(folder / kind))


def _at_random(experiment: Experiment, moments: int, dice: random.Random) -> Iterator[tuple[str, Aftermath]]:
    for _ in range(moments):
        seconds, with_children = dice.uniform(0, experiment.usual_s), dice.random() < 1 / 2
        name = f"after {seconds:.3f} s{' with its children' if with_children else ''}"
        yield name, experiment.kill_after(seconds, with_children=with_children)


def _tell(place: Place, ends: Iterator[tuple[str, Aftermath]]) -> Iterator[Aftermath]:
    for name, aftermath in ends:
        if aftermath.wrong:
            _say(f"{place}, killed {name}:", *aftermath.wrong, between="\n    ")
        yield aftermath


def _spread(found: list[Boundary], most: int) -> list[Boundary]:
    step = max(1, -(-len(found) // most))
    return found[::step]


def _say(*lines: str, between: str = "\n") -> None:
    sys.stdout.write(between.join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
