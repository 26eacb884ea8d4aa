"""`onc-mirror mirror`: one hour, in this process, without an orchestrator."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click
from rich.console import Console

from onc_mirror.cli.options import Choice, choosing, files_option, json_option
from onc_mirror.cli.progress import progress_bar
from onc_mirror.cli.tables import print_table, size_text, stdout
from onc_mirror.devices import load_device_table
from onc_mirror.errors import SettingsError
from onc_mirror.frames import files_from_frame, read_csv
from onc_mirror.gathering import MirrorRequest
from onc_mirror.mirror import open_mirror
from onc_mirror.mirroring import mirror_hour
from onc_mirror.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from onc_mirror.mirror import Mirror
    from onc_mirror.reporting import RunReport


@click.command()
@choosing
@files_option
@json_option
def mirror(choice: Choice, *, files: Path | None, as_json: bool) -> None:
    """Mirror what the archive took in since the last run.

    Exit codes: 0 all is accounted for, 1 something failed, 2 usage or configuration, 3 done, but files are held or
    quarantined.
    """
    settings = load_settings()
    with open_mirror(settings) as parts, progress_bar(Console(stderr=True)) as bar:
        report = mirror_hour(parts, _request(parts, choice, files), bar)
    if as_json:
        click.echo(report.to_json())
    else:
        _print_report(report)
    raise click.exceptions.Exit(report.exit_code)


def _request(parts: Mirror, choice: Choice, files: Path | None) -> MirrorRequest:
    whole = MirrorRequest(
        since=choice.since,
        until=choice.until,
        devices=choice.devices,
        locations=choice.locations,
        categories=choice.categories,
    )
    if files is not None:
        if choice.narrows_files or whole != MirrorRequest():
            raise SettingsError("--files already says which files; leave the other filters out.")
        return MirrorRequest(only=files_from_frame(read_csv(files)))
    if not choice.narrows_files:
        return whole
    codes = choice.devices or tuple(device.code for device in load_device_table(parts.settings.devices_file))
    return replace(whole, selection=choice.selection(parts.archive, codes, extensions=parts.settings.extensions))


def _print_report(report: RunReport) -> None:
    console = stdout()
    columns = (
        "device",
        "listed",
        "mirrored",
        "already",
        "held",
        "quarantined",
        "filtered",
        "gone",
        "failed",
        "bytes",
    )
    rows = [[getattr(one, name) for name in columns] for one in report.by_device]
    print_table(f"Run {report.run_id}: {report.state}", columns, rows, console=console)
    problems = [(one.device, "", "failed", one.reason, one.detail) for one in report.errors]
    problems += [(one.device, one.filename, one.decision, one.reason, one.detail) for one in report.attention]
    if problems:
        headings = ("device", "file", "decision", "reason", "what happened")
        print_table("Needs attention", headings, problems, console=console)
    done = f"{report.mirrored} of {report.listed} listed files mirrored"
    console.print(f"{done}, {size_text(report.bytes)} in {report.seconds:.1f} s.")
