"""What every group of rules builds on: a world, the names of the archive's files, and what is checked at the end."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis.stateful import Bundle, RuleBasedStateMachine

from onc_mirror.ledger import open_ledger
from onc_mirror.model import Decision
from tests.model import promises
from tests.model.duties import check_duties
from tests.model.ends import check_converged
from tests.model.works import HOUR, RECONCILE, SCRUB
from tests.model.world import new_world

if TYPE_CHECKING:
    from onc_mirror.report.document import RunReport
    from tests.model.seen import RunSeen
    from tests.model.works import Work

_MOST_DAYS = 12
_UNFINISHED = frozenset({Decision.HELD, Decision.FAILED})

taken_in = Bundle("taken_in")
"""Names of files of the archive."""


class Machine(RuleBasedStateMachine):
    """A group of rules is a subclass; `test_model` puts the groups together."""

    def __init__(self) -> None:
        super().__init__()
        self.world = new_world(empty_ledger())
        self.serial = 0

    def checked_run(self, work: Work = HOUR, *, effects: int | None = None) -> RunSeen:
        """Run something, killed before it has had more than `effects`, and hold it to the promises."""
        run = self.world.run(work, effects=effects)
        promises.check_whatever_happened(self.world, run)
        if run.report is not None:
            promises.check_ended(self.world, run, run.report)
            check_duties(self.world, run, run.report)
        return run

    def teardown(self) -> None:
        """All goes well again, and time goes on: everything must come to its end."""
        try:
            self._converge()
        finally:
            self.world.close()

    def _converge(self) -> None:
        world = self.world
        world.calm()
        world.skew = timedelta()
        world.now += timedelta(days=2)
        if None in world.spoilt.values():
            self.checked_run(RECONCILE)  # an hour refuses a bucket that has nothing of what it knows
        last = self._run_for_days()
        check_converged(world, without=world.deceived)
        spoilt = [entry.key for entry in world.entries().values() if world.is_spoilt(entry.key)]
        if world.deceived or spoilt or last.errors:
            self._mend()

    def _run_for_days(self) -> RunReport:
        """Run an hour a day until nothing waits any more; return the last report."""
        world = self.world
        for _ in range(_MOST_DAYS):
            report = self._ended_run()
            waiting = {file.filename for file in report.files if file.decision in _UNFINISHED}
            # What is away from an archive that lists nothing beside it may be hard to get, or gone: it waits longer.
            if not (waiting & world.names() or report.errors):
                break
            world.now += timedelta(days=1)  # as far apart as the tries of a file
        if not waiting:
            promises.check_quiet(world, self.checked_run())
        return report

    def _ended_run(self) -> RunReport:
        run = self.checked_run()
        assert run.report is not None, run.refusal
        return run.report

    def _mend(self) -> None:
        """Let the nightly runs put right what no hour can: what listings kept back, and what somebody spoilt."""
        world = self.world
        for work in (RECONCILE, SCRUB):
            self.checked_run(work)
        world.deceived.clear()
        last = self._run_for_days()
        assert not last.errors
        check_converged(world)
        there = {one.file.filename for one in world.archive.everything()}
        spoilt = [name for (_, name), entry in world.entries().items() if world.is_spoilt(entry.key)]
        assert not there.intersection(spoilt)
        promises.check_quiet(world, self.checked_run(RECONCILE))


@cache
def empty_ledger() -> Path:
    """Made once for all worlds, as creating the tables takes longer than a run."""
    path = Path(tempfile.mkdtemp(prefix="onc-mirror-model-")) / "ledger.db"
    atexit.register(shutil.rmtree, path.parent)
    open_ledger(f"sqlite:///{path}").close()
    return path
