"""Reading stored objects back: one task for all of them, and what an operator sees of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import task
from prefect.artifacts import create_markdown_artifact

from onc_mirror.flow_names import SCRUB
from onc_mirror.layout import reports_folder
from onc_mirror.markup import plain
from onc_mirror.mirror import Mirror
from onc_mirror.model import Outcome
from onc_mirror.run.life import Run
from onc_mirror.scrub import leftovers, rereading, story
from onc_mirror.scrub.findings import Scrubbed, closing_sentence
from onc_mirror.scrub.leftovers import Leftovers
from onc_mirror.scrub.rereading import Reading
from onc_mirror.scrub.story import Chosen, Repair, ScrubRequest
from onc_mirror.settings import MirrorSettings
from onc_mirror.transfer.progress import Progress
from tasks.ending import final_state
from tasks.places import place
from tasks.policy import UNCACHED, retries, safely
from tasks.tables import show_table

if TYPE_CHECKING:
    from prefect import State

_ALL_WELL = {"device": "", "file": "", "outcome": "", "reason": "", "what happened": "All is what was proven."}


@task(name="choose-objects", **UNCACHED)
@safely
def _choose_objects(mirror: Mirror, run: Run, request: ScrubRequest) -> Chosen:
    return story.choose_objects(mirror, run, request)


@task(name="abort-stale-uploads", **UNCACHED)
@safely
def abort_stale_uploads(mirror: Mirror) -> Leftovers:
    """Abort the uploads that a killed run has left."""
    return leftovers.abort_stale_uploads(mirror)


@task(name="read-objects", **UNCACHED)
@safely
def read_objects(mirror: Mirror, chosen: Chosen, progress: Progress) -> Reading:
    """Read the chosen objects back; each proof is noted at once."""
    return rereading.read_objects(mirror, chosen.objects, progress)


@task(name="prepare-repair", **UNCACHED)
@safely
def prepare_repair(mirror: Mirror, run: Run, reading: Reading, *, force: bool) -> Repair:
    """Enter damage in the ledger and claim the files, unless the guard stops it."""
    return story.prepare_repair(mirror, run, reading, force=force)


@task(name="finish-scrub", **UNCACHED)
@safely
def finish_scrub(  # noqa: PLR0913, PLR0917 - what the steps came to, in their order
    mirror: Mirror,
    run: Run,
    chosen: Chosen,
    stale: Leftovers,
    reading: Reading,
    repair: Repair,
    ends: list[Outcome],
) -> Scrubbed:
    """Judge the repairs, and report."""
    return story.finish_scrub(mirror, run, chosen, stale, reading, repair, ends)


@task(name="show-scrub", **UNCACHED)
@safely
def show_scrub(scrubbed: Scrubbed, settings: MirrorSettings) -> None:
    """Put what was found where the Prefect UI shows it."""
    report = scrubbed.report
    rows = [(error.device, "", "failed", error.reason, error.detail) for error in report.errors]
    rows += [(one.device, one.filename, one.decision.value, one.reason, one.detail) for one in report.files]
    show_table(
        "scrub-findings",
        f"Run {report.run_id}: objects that were not what was proven, and what became of them.",
        [dict(zip(_ALL_WELL, row, strict=True)) for row in rows],
        nothing=_ALL_WELL,
    )
    create_markdown_artifact(
        key="scrub-summary",
        markdown=f"{plain(closing_sentence(scrubbed))}\n\nReports: {place(settings, reports_folder(SCRUB))}",
        description=f"Run {report.run_id}.",
    )


def choose_objects(mirror: Mirror, run: Run, request: ScrubRequest) -> Chosen:
    """Choose what this run reads, with the retries of the settings."""
    return _choose_objects.with_options(**retries(mirror.settings.retry_delays_s))(mirror, run, request)


def scrub_state(scrubbed: Scrubbed) -> State[None]:
    """The state that a scrub ends in."""
    return final_state(closing_sentence(scrubbed), scrubbed.report.exit_code)
