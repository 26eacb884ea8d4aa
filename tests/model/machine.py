"""What every group of rules builds on: a world, the names of the archive's files, and what is checked at the end."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from functools import cache
from pathlib import Path

from hypothesis.stateful import Bundle, RuleBasedStateMachine

from onc_mirror.ledger import open_ledger
from onc_mirror.model import Decision
from tests.model import promises
from tests.model.world import RunSeen, new_world

_MOST_DAYS = 12
_UNFINISHED = frozenset({Decision.HELD, Decision.FAILED})

taken_in = Bundle("taken_in")
"""Names of files of the archive."""


class Machine(RuleBasedStateMachine):
    """A group of rules is a subclass; `test_model` puts the groups together."""

    def __init__(self) -> None:
        super().__init__()
        self.world = new_world(_empty_ledger())
        self.serial = 0

    def checked_run(self, effects: int | None = None) -> RunSeen:
        """Run an hour, killed before it has had more than `effects`, and hold it to the promises."""
        run = self.world.run(effects=effects)
        promises.check_whatever_happened(self.world, run)
        if run.report is not None:
            promises.check_ended(self.world, run, run.report)
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
        for _ in range(_MOST_DAYS):
            run = self.checked_run()
            assert run.report is not None, run.refusal
            waiting = {file.filename for file in run.report.files if file.decision in _UNFINISHED}
            # What is away from an archive that lists nothing beside it may be hard to get, or gone: it waits longer.
            if not (waiting & world.names() or run.report.errors):
                break
            world.now += timedelta(days=1)  # as far apart as the tries of a file
        if not waiting:
            promises.check_quiet(world, self.checked_run())
        promises.check_converged(world)


@cache
def _empty_ledger() -> Path:
    """Made once for all worlds, as creating the tables takes longer than a run."""
    path = Path(tempfile.mkdtemp(prefix="onc-mirror-model-")) / "ledger.db"
    open_ledger(f"sqlite:///{path}").close()
    return path
