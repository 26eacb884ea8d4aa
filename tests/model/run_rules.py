"""What the operator does: runs the mirror, again, kills it, lets time pass, widens and narrows what is wanted."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model import promises
from tests.model.machine import Machine

pauses = st.sampled_from(
    [timedelta(0), timedelta(minutes=5), timedelta(hours=1), timedelta(hours=1), timedelta(days=2)]
)

selections = st.sampled_from([("hdf5",), ("hdf5", "txt"), ("hdf5", "txt"), ("txt",)])


class RunRules(Machine):
    """Runs of the hour."""

    @rule(after=pauses)
    def run(self, after: timedelta) -> None:
        self.world.now += after
        self.checked_run()

    @rule(times=st.integers(1, 3), apart=st.sampled_from([timedelta(minutes=20), timedelta(hours=1)]))
    def run_again_and_again(self, times: int, apart: timedelta) -> None:
        for _ in range(times):
            self.world.now += apart
            self.checked_run()

    @rule()
    def run_when_all_is_well(self) -> None:
        self.world.calm()
        self.world.now += timedelta(hours=1)
        self.checked_run()

    @rule(after=pauses)
    def run_twice(self, after: timedelta) -> None:
        self.world.now += after
        report = self.checked_run().report
        self.world.calm()
        if report is not None and not (report.held or report.failed or report.errors):
            promises.check_quiet(self.world, self.checked_run())

    @rule(after=pauses, effects=st.integers(0, 10))
    def run_killed(self, after: timedelta, effects: int) -> None:
        self.world.now += after
        self.checked_run(effects=effects)

    @rule(first=st.integers(0, 6))
    def run_killed_again_and_again(self, first: int) -> None:
        """Each process gets one effect further than the one before; their leases end in between."""
        for effects in range(first, first + 5):
            self.world.now += timedelta(minutes=5)
            self.checked_run(effects=effects)

    @rule(wanted=selections)
    def change_what_is_wanted(self, wanted: tuple[str, ...]) -> None:
        self.world.settings = self.world.settings.model_copy(update={"extensions": wanted})
