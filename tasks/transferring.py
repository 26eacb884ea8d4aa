"""Transferring files: one task per file, with download, validation and upload as tasks of their own inside.

The stages are nested so that scratch stays bounded: a file leaves it before the next one comes. Each stage has
its own retries; only errors whose type says that trying again can help are retried.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from onc_mirror.errors import MirrorError, UnexpectedError
from onc_mirror.mirror import Mirror
from onc_mirror.model import ArchiveFile, Decision, Fetched, Outcome, Verdict
from onc_mirror.retrying import Patience
from onc_mirror.run import plans
from onc_mirror.run.gathering import Gathered, Inquiry
from onc_mirror.run.life import Run
from onc_mirror.transfer import batch, one_file
from onc_mirror.transfer.one_file import Published
from onc_mirror.transfer.progress import Progress
from tasks.policy import UNCACHED, retries, safely
from tasks.progress import shown_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from prefect import State


@task(name="plan-transfers", **UNCACHED)
@safely
def plan_transfers(mirror: Mirror, inquiry: Inquiry, gathered: Gathered) -> pd.DataFrame:
    """Decide about every listed file."""
    return plans.plan_run(mirror, inquiry, gathered)


@task(name="download", task_run_name="download {file.device_code} {file.filename}", **UNCACHED)
@safely
def download_file(mirror: Mirror, file: ArchiveFile, folder: Path) -> Fetched:
    """Download one file to scratch."""
    return one_file.download_file(mirror, file, folder)


@task(name="validate", task_run_name="validate {file.device_code} {file.filename}", **UNCACHED)
@safely
def validate_file(mirror: Mirror, file: ArchiveFile, fetched: Fetched) -> Verdict:
    """Prove one downloaded file readable."""
    return one_file.validate_file(mirror, file, fetched)


@task(name="publish", task_run_name="publish {file.device_code} {file.filename}", **UNCACHED)
@safely
def publish_file(mirror: Mirror, file: ArchiveFile, fetched: Fetched, verdict: Verdict) -> Published:
    """Upload one judged file."""
    return one_file.publish_file(mirror, file, fetched, verdict)


class TaskSteps:
    """The three steps as tasks, retried with the delays of the settings."""

    def __init__(self, delays_s: Sequence[float], patience: Patience) -> None:
        retried = retries(delays_s, patience)
        self.download = download_file.with_options(**retried)
        self.validate = validate_file
        self.publish = publish_file.with_options(**retried)


@task(name="mirror-file", task_run_name="mirror {file.device_code} {file.filename}", **UNCACHED)
@safely
def mirror_file(mirror: Mirror, run: Run, file: ArchiveFile, steps: TaskSteps, progress: Progress) -> State[Outcome]:
    """Bring one file to its end and record it; the task's state carries the outcome."""
    outcome = batch.conclude(mirror, run, file, steps)
    progress.advanced(outcome.size_bytes)
    progress.concluded(outcome)
    if outcome.decision is Decision.FAILED:
        return Failed(message=outcome.detail, data=outcome)
    return Completed(name=outcome.decision.capitalize(), message=outcome.detail or None, data=outcome)


def transfer_files(mirror: Mirror, run: Run, planned: pd.DataFrame) -> list[Outcome]:
    """Transfer what is planned, a bounded number at a time, and show how far it is; a quiet hour shows nothing."""
    files = plans.to_fetch(planned)
    if not files:
        return []
    progress = Progress()
    with shown_progress(run, progress):
        return transfer_each(mirror, run, files, progress)


def transfer_each(mirror: Mirror, run: Run, files: Sequence[ArchiveFile], progress: Progress) -> list[Outcome]:
    """Transfer files, a bounded number at a time."""
    progress.planned(len(files), sum(file.expected_bytes or 0 for file in files))
    mirror = mirror.with_new_patience()
    steps = TaskSteps(mirror.settings.retry_delays_s, mirror.patience)
    shared = {"mirror": mirror, "run": run, "steps": steps, "progress": progress}
    runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=mirror.settings.concurrency)
    with runner:
        futures = [runner.submit(mirror_file, {**shared, "file": file}) for file in files]
        results = [future.result(raise_on_failure=False) for future in futures]
    return [_outcome(file, result) for file, result in zip(files, results, strict=True)]


def _outcome(file: ArchiveFile, result: Outcome | BaseException) -> Outcome:
    """Take a task's result; a task that broke down is a failed file and no more than that."""
    if isinstance(result, Outcome):
        return result
    error = (
        result if isinstance(result, MirrorError) else UnexpectedError(f"Its task ended as {type(result).__name__}.")
    )
    return one_file.failed(file, error)
