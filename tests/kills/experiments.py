"""Killing a run, starting it again as if nothing had happened, and looking at what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from onc_mirror.report.document import RunReport
from tests.kills.worlds import (
    FIRST_HOUR,
    FLOWS,
    LATER,
    NEXT_HOUR,
    SINCE,
    UNREADY,
    begin_first_hour,
    begin_next_hour,
)
from tests.support.killing import KILLED, End, read_trace, wait_until_gone
from tests.support.promises import broken_promises, look_around

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.kills.worlds import Grounds, World
    from tests.support.effects import Boundary
    from tests.support.killing import Mother
    from tests.support.promises import Scene, Thing

_ALL_WELL, _HELD = 0, 3
_ONE_AT_A_TIME = 1


class RunFailedError(Exception):
    """A run that nothing kept from doing its work did not end well."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What came of a kill.

    Attributes:
        killed: Whether the process was killed; it had ended by itself before, otherwise.
        wrong: What is not as promised, or not as it is without a kill; one line each.
    """

    killed: bool
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a mirror stands in the end, in what must be the same however it got there.

    Attributes:
        contents: SHA-256 of every object that is no report, by key.
        states: State, reason and key of every file, by device and name.
    """

    contents: Mapping[str, str]
    states: Mapping[tuple[str, str], tuple[str, str, str]]

    @classmethod
    def of(cls, scene: Scene) -> Self:
        """Take what must be the same from all that there is."""
        return cls(
            {key: thing.sha256 for key, thing in _lasting(scene).items()},
            {name: (entry.state, entry.reason or entry.rule, entry.key) for name, entry in scene.entries.items()},
        )


@dataclass(slots=True)
class Experiment:
    """Runs of one flow on one kind of bucket and one kind of ledger.

    Attributes:
        grounds: What the worlds are made on.
        mother: Forks the processes.
        flow: What the killed run, and those after it, do: a key of `FLOWS`.
        model: The world before that run.
        trace: The boundaries that it passes when nothing happens to it.
        usual_s: How long it takes then.
        kept: Hashes of what was mirrored before it.
        ending: Where the mirror stands then.
    """

    grounds: Grounds
    mother: Mother
    flow: str = "mirror"
    model: World = field(init=False)
    trace: list[Boundary] = field(init=False)
    usual_s: float = field(init=False)
    kept: frozenset[str] = frozenset()
    ending: Ending = field(init=False)

    def prepare(self) -> None:
        """Mirror the first hour, and then the next one without a kill.

        Raises:
            RunFailedError: Something is wrong although nothing was killed.
        """
        begin_first_hour(self.grounds.archive)
        self.model = self.grounds.copy_of()
        self.model.turn(FIRST_HOUR)
        scene, wrong = self._run(self.model, "in the first hour", flow="mirror")
        self.kept = frozenset(thing.sha256 for thing in scene.mirrored.values())
        begin_next_hour(self.grounds.archive, self.flow)
        world = self.grounds.copy_of(self.model)
        world.turn(NEXT_HOUR)
        path = world.folder / "trace"
        began = time.monotonic()
        self._start(world, self.flow, trace=path, transfers=_ONE_AT_A_TIME)
        end = self.mother.wait()
        self.usual_s = time.monotonic() - began
        if end.code != _HELD:
            raise RunFailedError(f"The run that nobody kills ends with {end.code}: {end.out} {end.err}")
        self.trace = read_trace(path)
        self.ending, more = self._converge(world)
        if wrong or more:
            raise RunFailedError(f"Without a kill: {[*wrong, *more]}")
        world.remove()

    def kill_at(self, boundary: Boundary) -> Aftermath:
        """Kill a run at a boundary; one transfer runs at a time, so that the trace says where that is."""
        world = self._next_hour()
        self._start(world, self.flow, kill=boundary, transfers=_ONE_AT_A_TIME)
        return self._aftermath(world, self.mother.wait())

    def kill_after(self, seconds: float, *, with_children: bool) -> Aftermath:
        """Kill a run from outside at some moment, alone or with its validation processes."""
        world = self._next_hour()
        self._start(world, self.flow)
        time.sleep(seconds)
        self.mother.kill(with_children=with_children)
        return self._aftermath(world, self.mother.wait())

    def kill_a_validation(self) -> Aftermath:
        """Kill a validation process of a run, which goes on, and then start the run again like any other."""
        world = self._next_hour()
        self._start(world, self.flow)
        self.mother.kill_a_child()
        return self._aftermath(world, self.mother.wait())

    def _next_hour(self) -> World:
        begin_next_hour(self.grounds.archive, self.flow)
        world = self.grounds.copy_of(self.model)
        world.turn(NEXT_HOUR)
        return world

    def _start(
        self, world: World, flow: str, *, kill: Boundary | None = None, trace: Path | None = None, transfers: int = 8
    ) -> None:
        self.mother.start(
            FLOWS[flow],
            world.environment | {"ONC_MIRROR_CONCURRENCY": str(transfers)},
            ahead_s=world.ahead_s,
            kill=kill,
            trace=trace,
            folders=world.folders,
        )

    def _aftermath(self, world: World, end: End) -> Aftermath:
        try:
            wait_until_gone(world.memory_bytes)
            world.turn(NEXT_HOUR + LATER)
            ending, wrong = self._converge(world)
        except (RunFailedError, TimeoutError) as error:
            return Aftermath(end.code == KILLED, (str(error),))
        finally:
            world.remove()
        wrong += _differences("objects", self.ending.contents, ending.contents)
        wrong += _differences("files", self.ending.states, ending.states)
        return Aftermath(end.code == KILLED, tuple(wrong))

    def _converge(self, world: World) -> tuple[Ending, list[str]]:
        """Start it twice: the first goes on from where the killed one was, the second has nothing to do."""
        first, wrong = self._run(world, "after the restart")
        self.grounds.archive.forget_requests()
        second, more = self._run(world, "after the run after it", before=first)
        wrong += more
        asked = {served.filename for served in self.grounds.archive.requests_for("download")} - {UNREADY}
        if asked:
            wrong.append(f"the run after it downloads {sorted(map(str, asked))}")
        before, after = ({key: thing.stored for key, thing in _lasting(scene).items()} for scene in (first, second))
        wrong += _differences("objects that the run after it should have left alone", before, after)
        ending = Ending.of(second)
        wrong += _differences("files that it should have left alone", Ending.of(first).states, ending.states)
        return ending, wrong

    def _run(
        self, world: World, when: str, *, flow: str | None = None, before: Scene | None = None
    ) -> tuple[Scene, list[str]]:
        self._start(world, flow or self.flow)
        end = self.mother.wait()
        if end.code not in {_ALL_WELL, _HELD}:
            raise RunFailedError(f"The run {when} ends with {end.code}: {end.out} {end.err}")
        with world.credentials():
            scene = look_around(world.archive, world.settings, RunReport.from_json(end.out), before=before)
        return scene, [f"{when}: {what}" for what in broken_promises(scene, since=SINCE, kept=self.kept)]


def _lasting(scene: Scene) -> dict[str, Thing]:
    """All objects but the reports, which tell of the runs themselves."""
    return {key: thing for key, thing in scene.things.items() if not key.startswith("reports/")}


def _differences(what: str, wanted: Mapping[Any, Any], found: Mapping[Any, Any]) -> list[str]:
    both = sorted(wanted.keys() | found.keys())
    pairs = ((key, wanted.get(key), found.get(key)) for key in both)
    return [f"{what}: {key} is {is_now}, not {was}" for key, was, is_now in pairs if was != is_now]
