"""What else the operator does: backfills, reconciles, scrubs, judges bad files, and loses the ledger."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from onc_mirror.model import Grade, State
from onc_mirror.quarantine.checks import retry
from tests.model import promises
from tests.model.duties import check_rebuilt
from tests.model.machine import Machine, empty_ledger, taken_in
from tests.model.works import HOUR, REBUILD, RECONCILE, SCRUB, Work, backfill_of, release_of

kinds = st.sampled_from(["hour", "backfill", "reconcile", "scrub"])
ends = st.one_of(st.none(), st.none(), st.integers(0, 12))
"""Effects until the process is killed; mostly it is not."""


class FlowRules(Machine):
    """Runs of all flows but the hour."""

    @rule(effects=ends)
    def reconcile(self, effects: int | None) -> None:
        self.checked_run(RECONCILE, effects=effects)

    @rule(effects=ends)
    def scrub(self, effects: int | None) -> None:
        self.checked_run(SCRUB, effects=effects)

    @rule(name=taken_in, effects=ends, only_failed=st.booleans())
    def backfill(self, name: str, effects: int | None, *, only_failed: bool) -> None:
        if (work := self.work("backfill", name, only_failed=only_failed)) is not None:
            self.checked_run(work, effects=effects)

    @rule(kind=kinds, name=taken_in)
    def do_twice(self, kind: str, name: str) -> None:
        work = self.work(kind, name)
        report = None if work is None else self.checked_run(work).report
        self.world.calm()
        if work is not None and report is not None and not (report.held or report.failed or report.errors):
            promises.check_quiet(self.world, self.checked_run(work))

    @rule()
    def operator_wants_another_try(self) -> None:
        before = self.world.entries()
        bad = [key for key, entry in before.items() if entry.state == State.QUARANTINED]
        held = retry(self.world.ledger, bad, now=self.world.now + self.world.skew)
        for key, entry in self.world.entries().items():
            if key in held:
                assert (entry.state, entry.attempts) == (State.HELD, 0)
            else:
                assert entry == before[key]

    @rule(grade=st.sampled_from([Grade.CONTENT, Grade.SIZE]), effects=ends)
    def operator_releases(self, grade: Grade, effects: int | None) -> None:
        bad = [key for key, entry in self.world.entries().items() if entry.state == State.QUARANTINED]
        self.checked_run(release_of(bad, grade), effects=effects)

    @rule(effects=ends)
    def ledger_is_lost(self, effects: int | None) -> None:
        """The operator looks after the clock, and rebuilds it, again where the rebuild was killed."""
        world = self.world
        world.skew = timedelta()
        before = world.entries()
        world.lose_the_ledger(empty_ledger())
        if self.checked_run(REBUILD, effects=effects).report is None:
            world.calm()
            run = self.checked_run(REBUILD)
            assert run.report is not None, run.refusal
        if not world.doubts_clocks:
            check_rebuilt(world, before)
        # What was archived before is for a backfill.
        world.begins = {code: mark - world.settings.overlap for code, mark in world.watermarks().items()}
        world.deceived.clear()

    def work(self, kind: str, name: str, *, only_failed: bool = False) -> Work | None:
        """What a run does; None where the file is gone, or has no day, and the work is a backfill of its day."""
        if kind != "backfill":
            return {"hour": HOUR, "reconcile": RECONCILE, "scrub": SCRUB}[kind]
        try:
            begin = self.world.archive.shelved(name).file.begins_at
        except LookupError:
            return None
        return None if begin is None else backfill_of(begin, only_failed=only_failed)
