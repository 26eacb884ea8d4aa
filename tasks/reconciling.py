"""Comparing archive, ledger and bucket: one task per device, and the tables that an operator sees."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from prefect import task
from prefect.artifacts import create_markdown_artifact

from onc_mirror.flow_names import RECONCILE
from onc_mirror.layout import reports_folder
from onc_mirror.markup import plain
from onc_mirror.mirror import Mirror
from onc_mirror.model import Device, Outcome
from onc_mirror.reconcile import story
from onc_mirror.reconcile.findings import DeviceComparison, Reconciliation
from onc_mirror.reconcile.story import ReconcileRequest, Surveyed
from onc_mirror.reconcile.words import closing_sentence, count_rows, difference_rows, witness_rows
from onc_mirror.run.gathering import Gathered, Inquiry, MirrorRequest
from onc_mirror.run.life import Run
from onc_mirror.settings import MirrorSettings
from tasks.ending import final_state
from tasks.places import place
from tasks.policy import UNCACHED, retries, safely
from tasks.tables import MOST_ROWS, show_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prefect import State

_NOTHING = {"": "none"}


@task(name="fix-window", **UNCACHED)
@safely
def fix_window(mirror: Mirror, run: Run, request: ReconcileRequest) -> MirrorRequest:
    """Fix the days that are compared, once the bucket is seen to be there."""
    return story.fix_window(mirror, run, request)


@task(name="compare-device", task_run_name="compare {device.code}", **UNCACHED)
@safely
def compare_device(mirror: Mirror, inquiry: Inquiry, device: Device) -> DeviceComparison:
    """Compare one device; nothing is changed."""
    return story.compare(mirror, inquiry, device)


@task(name="prepare-repair", **UNCACHED)
@safely
def prepare_repair(mirror: Mirror, inquiry: Inquiry, surveyed: Surveyed, *, force: bool) -> Gathered:
    """Enter in the ledger what is to be repaired, unless the guard stops it."""
    return story.prepare_repair(mirror, inquiry, surveyed, force=force)


@task(name="finish-reconcile", **UNCACHED)
@safely
def finish_reconcile(
    mirror: Mirror, inquiry: Inquiry, gathered: Gathered, surveyed: Surveyed, ends: list[Outcome]
) -> Reconciliation:
    """Put the document into the bucket, and report."""
    return story.finish_reconcile(mirror, inquiry, gathered, surveyed, ends)


@task(name="show-reconciliation", **UNCACHED)
@safely
def show_reconciliation(found: Reconciliation, settings: MirrorSettings) -> None:
    """Put the comparison where the Prefect UI shows it."""
    run = f"Run {found.run_id}" if found.run_id else "Dry run"
    tables = {
        "standings": (count_rows(found), "what archive, ledger and bucket have of each device"),
        "differences": (difference_rows(found, MOST_ROWS - 1), "what differed, and what became of it"),
        "witness": (witness_rows(found), "where the archive lists other files than it counts"),
    }
    for name, (rows, description) in tables.items():
        show_table(f"reconcile-{name}", f"{run}: {description}.", rows, nothing=_NOTHING)
    create_markdown_artifact(
        key="reconcile-summary",
        markdown=f"{plain(closing_sentence(found))}\n\nReports: {place(settings, reports_folder(RECONCILE))}",
        description=f"{run}.",
    )


def survey_devices(mirror: Mirror, inquiry: Inquiry, devices: Sequence[Device]) -> Surveyed:
    """Compare the devices one after the other, so that memory holds one of them at a time."""
    surveyed = Surveyed(story.window_of(inquiry))
    retried = compare_device.with_options(**retries(mirror.settings.retry_delays_s))
    for device in devices:
        story.collect(surveyed, device, functools.partial(retried, mirror, inquiry, device))
    return surveyed


def reconcile_state(found: Reconciliation) -> State[None]:
    """The state that a reconcile ends in."""
    return final_state(closing_sentence(found), found.exit_code, "CompletedWithFindings")
