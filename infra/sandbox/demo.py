"""One run of the hourly mirror, watched: triggered as an operator would, followed to its end, summed up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import s3fs
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from infra.sandbox.options import ACCESS_KEY, BUCKET, SECRET_KEY
from infra.sandbox.orchestrator import DEPLOYMENT
from onc_mirror.flow_names import HOURLY
from onc_mirror.wording import counted, size_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from infra.sandbox.orchestrator import FlowRun
    from infra.sandbox.up import Sandbox

POLL_S = 0.5
QUIET_LINE_S = 5.0

# The server writes task runs from events, some time after they happened; what is not written when it stops is lost.
RECORDED_S = 10.0

# How long to leave the schedule's own run alone.
CROWDED_S = 5.0

# Task runs that stand for one file each are named `mirror <device> <filename>`.
FILE_TASKS = "mirror "


def mirror_one_hour(sandbox: Sandbox, console: Console) -> FlowRun:
    """Trigger the hourly deployment, show how it goes, and return it in its final state.

    A run that the schedule's own run crowds out is triggered again: the wish was to see one from begin to end.
    """
    while True:
        run = sandbox.orchestrator.trigger(DEPLOYMENT)
        console.print(f"triggered {DEPLOYMENT}: {run_url(sandbox, run)}", soft_wrap=True)
        run = _follow(sandbox, run, console)
        if not run.was_crowded_out:
            return run
        console.print("the schedule's own run is at work; trying again when it may be done")
        time.sleep(CROWDED_S)


def _follow(sandbox: Sandbox, run: FlowRun, console: Console) -> FlowRun:
    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[files]}")]
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(run.state_name, total=None, files="")
        tell = _line_teller(console)
        recorded_by = float("inf")
        planned: int | None = None
        while True:
            sandbox.parts.check_alive()
            run = sandbox.orchestrator.flow_run(run.id)
            planned = _planned_files(sandbox, run) if planned is None else planned
            ended = sandbox.orchestrator.count_task_runs(run.id, name_like=FILE_TASKS, ended=True)
            files = f"{ended} of {planned} files" if planned else ""
            progress.update(bar, description=run.state_name, total=planned, completed=ended, files=files)
            tell(f"{run.state_name} {files}".strip())
            if run.is_final:
                recorded_by = min(recorded_by, time.monotonic() + RECORDED_S)
                if ended >= (planned or 0) or time.monotonic() > recorded_by:
                    return run
            time.sleep(POLL_S)


def _planned_files(sandbox: Sandbox, run: FlowRun) -> int | None:
    """Return how many files the run is to transfer, None before it has said so."""
    rows = sandbox.orchestrator.table_artifact(run.id, f"{HOURLY}-plan")
    return sum(row["files"] for row in rows) if rows else None


def _line_teller(console: Console) -> Callable[[str], None]:
    """Return a function that prints a changed line now and then, for logs that can show no bar."""
    last, due = "", 0.0

    def tell(line: str) -> None:
        nonlocal last, due
        if not console.is_terminal and line != last and time.monotonic() > due:
            console.print(line)
            last, due = line, time.monotonic() + QUIET_LINE_S

    return tell


def run_url(sandbox: Sandbox, run: FlowRun) -> str:
    """Return the run's page in the Prefect UI."""
    return f"{sandbox.options.prefect_url}/runs/flow-run/{run.id}"


def print_summary(sandbox: Sandbox, run: FlowRun, console: Console) -> None:
    """Say how the run ended, what it did per device, and what is in the bucket now."""
    style = "green" if run.is_completed else "red"
    console.print(f"\n[bold {style}]{run.state_name}[/] {escape(run.message)}", soft_wrap=True)
    if not run.is_completed:
        console.print(sandbox.parts.tail("worker"), markup=False, soft_wrap=True)
    for key, title in (("devices", "What became of the listed files"), ("attention", "What needs attention")):
        # A run with nothing to tell says so in a row without a device.
        if rows := [row for row in sandbox.orchestrator.table_artifact(run.id, f"{HOURLY}-{key}") if row["device"]]:
            console.print(_table(title, rows))
    sizes = _mirrored_sizes(sandbox)
    console.print(
        f"s3://{BUCKET}/raw now has {counted(len(sizes), 'file')} with {size_text(sum(sizes))}.", soft_wrap=True
    )


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    for name in names:
        is_number = isinstance(rows[0][name], int)
        table.add_column(name, justify="right" if is_number else "left", no_wrap=is_number or name == "device")
    for row in rows:
        table.add_row(*(size_text(row[name]) if name == "bytes" else escape(str(row[name] or "")) for name in names))
    return table


def _mirrored_sizes(sandbox: Sandbox) -> list[int]:
    filesystem = s3fs.S3FileSystem(
        key=ACCESS_KEY,
        secret=SECRET_KEY,
        endpoint_url=sandbox.options.s3_url,
        client_kwargs={"region_name": "us-east-1"},
    )
    return [one["size"] for one in filesystem.find(f"{BUCKET}/raw", detail=True).values()]


def print_directions(sandbox: Sandbox, console: Console) -> None:
    """Say where everything is and how to use it."""
    options = sandbox.options
    for name, text in (
        ("Prefect UI", options.prefect_url),
        ("S3 endpoint", f"{options.s3_url}  bucket {BUCKET}  key {ACCESS_KEY}  secret {SECRET_KEY}"),
        ("archive", options.archive_url),
        ("logs", str(options.logs)),
        ("try", f". {options.env_file} && .venv/bin/onc-mirror status"),
    ):
        console.print(f"  {name:<12} {text}", soft_wrap=True)


def print_farewell(sandbox: Sandbox, console: Console) -> None:
    """Say what is left of a sandbox that is about to stop, and how to have it back."""
    state = sandbox.options.state
    console.print(f"Stopping. Bucket, ledger and logs stay in {state}; make sandbox starts it again.", soft_wrap=True)
