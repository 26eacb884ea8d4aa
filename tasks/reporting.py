"""Ending a run: watermarks, the report in ledger and bucket, and the tables that an operator sees."""

from __future__ import annotations

from onc_mirror.reporting import RunReport
from prefect import task

from onc_mirror import mirroring
from onc_mirror.gathering import Gathered, Run
from onc_mirror.mirror import Mirror
from onc_mirror.model import Outcome
from tasks.policy import UNCACHED, safely


@task(name="finish-run", **UNCACHED)
@safely
def finish_run(mirror: Mirror, run: Run, gathered: Gathered, outcomes: list[Outcome]) -> RunReport:
    """Move the watermarks and report."""
    return mirroring.finish_run(mirror, run, gathered, outcomes)
