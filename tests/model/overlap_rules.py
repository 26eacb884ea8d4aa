"""Two runs at the same time: one stands still, for a moment or past its leases, while another one runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import MultipleResults, rule

from onc_mirror.errors import ClaimLostError
from tests.model import promises
from tests.model.archive_rules import ArchiveRules, devices
from tests.model.flow_rules import FlowRules, kinds
from tests.model.machine import taken_in
from tests.model.perils import Suspension
from tests.model.works import backfill_of
from tests.support.marked_files import SOUND

if TYPE_CHECKING:
    from tests.model.seen import RunSeen

pauses = st.sampled_from(
    [timedelta(0), timedelta(0), timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=5)]
)

_AWAKE = timedelta(minutes=2)
"""A lease: who stood still for less has lost nothing."""


class OverlapRules(ArchiveRules, FlowRules):
    """Runs beside runs."""

    @rule(
        first=kinds,
        other=kinds,
        name=taken_in,
        moments=st.integers(1, 25),
        pause=pauses,
        replaced=st.booleans(),
    )
    def run_overtaken(  # noqa: PLR0913 - what can be chosen
        self, first: str, other: str, name: str, moments: int, pause: timedelta, *, replaced: bool
    ) -> None:
        """Stop the first run at one of its moments, let the other one run, and let the first go on."""
        overtaking: list[RunSeen] = []
        self.world.now += timedelta(minutes=5)  # what came last has been archived by now

        def meanwhile() -> None:
            if replaced:
                self.archive_again(name=name, mark=SOUND, other_day=False, same_size=False)
            self.world.now += pause
            if (work := self.work(other, name)) is not None:
                overtaking.append(self.world.run(work))

        if (work := self.work(first, name)) is None:
            return
        began = self.world.now
        overtaken = self.world.run(work, suspension=Suspension(moments, meanwhile))
        runs = (overtaken, *overtaking)
        denied = {name for run in runs for name in run.denied()}
        for run in runs:
            promises.check_always(self.world, run, kept_back=self.world.deceived, denied=denied)
            if run.report is not None:
                promises.check_overtaken(self.world, run, run.report)
        if self.world.now - began < _AWAKE:
            lost = _downloaded(overtaken) & _left_to_others(overtaken)
            assert not lost, f"a run that lives has lost {lost} to another one"

    @rule(target=taken_in, device=devices, count=st.integers(2, 4), effects=st.integers(3, 7))
    def backfill_beside_the_dead(self, device: str, count: int, effects: int) -> MultipleResults[str]:
        """A run is killed when it has begun with some files, and a backfill of their day comes right after."""
        names = self.take_in_an_hour(device=device, count=count)
        self.checked_run(effects=effects)
        self.checked_run(backfill_of(self.world.now - timedelta(hours=1)))
        return names


def _downloaded(run: RunSeen) -> set[str]:
    return {asked.subject for asked in run.asked if asked.endpoint == "download"}


def _left_to_others(run: RunSeen) -> set[str]:
    files = () if run.report is None else run.report.files
    return {file.filename for file in files if file.reason == ClaimLostError.reason}
