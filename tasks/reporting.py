"""What an operator sees of a run, and its end: tables of plan and result, watermarks, the report, the final state."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.artifacts import create_markdown_artifact

from onc_mirror.flow_names import ON_DEMAND
from onc_mirror.layout import report_key
from onc_mirror.markup import plain
from onc_mirror.mirror import Mirror
from onc_mirror.model import Outcome
from onc_mirror.report.document import RunReport
from onc_mirror.report.words import closing_sentence
from onc_mirror.run import life, plans
from onc_mirror.run.gathering import Gathered
from onc_mirror.run.life import Run
from onc_mirror.settings import MirrorSettings
from tasks.ending import final_state
from tasks.places import place
from tasks.policy import UNCACHED, safely
from tasks.tables import show_table

if TYPE_CHECKING:
    import pandas as pd
    from prefect import State

_NOTHING_PLANNED = {"device": "", "files": 0, "bytes": 0}
_NO_DEVICE = {"device": ""}
_NOTHING_WRONG = {"device": "", "file": "", "decision": "", "reason": "", "what happened": "Nothing is wrong."}


@task(name="show-plan", **UNCACHED)
@safely
def show_plan(run: Run, planned: pd.DataFrame) -> None:
    """Put what is about to be transferred where the Prefect UI shows it."""
    files = plans.to_fetch(planned)
    sizes: dict[str, list[int]] = {}
    for file in files:
        sizes.setdefault(file.device_code, []).append(file.expected_bytes or 0)
    rows = [{"device": code, "files": len(some), "bytes": sum(some)} for code, some in sorted(sizes.items())]
    description = f"Run {run.run_id}: what is to be transferred, per device."
    show_table(f"{run.flow}-plan", description, rows, nothing=_NOTHING_PLANNED)


@task(name="finish-run", **UNCACHED)
@safely
def finish_run(mirror: Mirror, run: Run, gathered: Gathered, outcomes: list[Outcome]) -> RunReport:
    """Move the watermarks and report."""
    return life.finish_run(mirror, run, gathered, outcomes)


@task(name="show-run", **UNCACHED)
@safely
def show_run(run: Run, report: RunReport, settings: MirrorSettings) -> None:
    """Put the run's tables where the Prefect UI shows them."""
    devices = [asdict(counts) for counts in report.by_device]
    description = f"Run {report.run_id}: what became of every listed file, per device."
    show_table(f"{report.flow}-devices", description, devices, nothing=_NO_DEVICE)
    description = f"Run {report.run_id}: what needs attention, and why."
    show_table(f"{report.flow}-attention", description, _attention(report), nothing=_NOTHING_WRONG)
    create_markdown_artifact(
        key=f"{report.flow}-summary", markdown=_summary(run, report, settings), description=f"Run {report.run_id}."
    )


def run_state(report: RunReport) -> State[None]:
    """The state that a run with this report ends in.

    One of an hour that somebody asked for has names of its own: what waits for an hourly run to succeed does not take
    it for one (`deployments/automations.yaml`).
    """
    if report.flow == ON_DEMAND:
        return final_state(
            closing_sentence(report), report.exit_code, "CompletedOnDemandWithHeld", "CompletedOnDemand"
        )
    return final_state(closing_sentence(report), report.exit_code)


def _attention(report: RunReport) -> list[dict[str, Any]]:
    devices = [(error.device, "", "failed", error.reason, error.detail) for error in report.errors]
    files = [(file.device, file.filename, file.decision.value, file.reason, file.detail) for file in report.attention]
    return [dict(zip(_NOTHING_WRONG, row, strict=True)) for row in [*devices, *files]]


def _summary(run: Run, report: RunReport, settings: MirrorSettings) -> str:
    headline = report.state.replace("-", " ").capitalize()
    key = report_key(run.flow, run.run_id, run.began_at)
    kept = f" The report is {place(settings, key)}." if report.is_noteworthy else ""
    return f"## {headline}\n\n{plain(closing_sentence(report))}\n\nThe files are in `{settings.store_url}`.{kept}"
