"""`onc-mirror mirror`: one hour, in this process, without an orchestrator."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import click
from rich.console import Console

from onc_mirror.cli.options import Choice, choosing, files_option, json_option
from onc_mirror.cli.progress import progress_bar, waits_told
from onc_mirror.cli.tables import Size, print_table, print_text
from onc_mirror.devices import choose_devices, load_device_table
from onc_mirror.errors import SettingsError
from onc_mirror.gathering import MirrorRequest
from onc_mirror.mirror import open_mirror
from onc_mirror.mirroring import mirror_hour
from onc_mirror.settings import load_settings
from onc_mirror.wording import closing_sentence

if TYPE_CHECKING:
    from pathlib import Path

    from onc_mirror.mirror import Mirror
    from onc_mirror.model import ArchiveFile
    from onc_mirror.reporting import RunReport

_COUNTS = ("listed", "mirrored", "already", "held", "quarantined", "filtered", "gone", "failed")


@click.command()
@choosing
@files_option
@json_option
@click.pass_context
def mirror(context: click.Context, choice: Choice, *, files: Path | None, as_json: bool) -> None:
    """Mirror what the archive newly took in.

    Of all devices that are in the water, or were in the last 7 days, files of ONC_MIRROR_EXTENSIONS, archived since
    the last run, unless the options say otherwise. What earlier runs left unfinished is taken up again, unless the
    run is narrowed by options other than --device, --location and --category. A run narrowed to some files does not
    move the watermark.

    Exit codes: 0 all is accounted for, 1 something failed, 2 wrong option or setting, 3 done, but files are held or
    quarantined; 130 or 143 when stopped. Stopping or killing it is harmless: the next run goes on from there.
    """
    verbose = context.find_root().params["verbose"]
    if not as_json and not verbose:
        # The table says it all again at the end, in better words.
        logging.getLogger("onc_mirror").setLevel(logging.CRITICAL)
    settings = load_settings()
    only = None if files is None else _listed_in(files)
    if only is not None and (choice.narrows_files or _request(choice) != MirrorRequest()):
        raise SettingsError("--files already says which files; leave the other filters out.")
    console = Console(stderr=True)
    with open_mirror(settings) as parts, progress_bar(console) as bar, waits_told(console, as_log=verbose):
        request = _narrowed(parts, choice) if only is None else MirrorRequest(only=only)
        report = mirror_hour(parts, request, bar)
    if as_json:
        click.echo(report.to_json())
    else:
        _print_report(report, settings.store_url)
    context.exit(report.exit_code)


def _listed_in(path: Path) -> tuple[ArchiveFile, ...]:
    from onc_mirror.frames import files_from_frame, read_csv  # noqa: PLC0415 - pandas; a run without a list asks first

    return files_from_frame(read_csv(path))


def _request(choice: Choice) -> MirrorRequest:
    return MirrorRequest(
        since=choice.since,
        until=choice.until,
        devices=choice.devices,
        locations=choice.locations,
        categories=choice.categories,
    )


def _narrowed(parts: Mirror, choice: Choice) -> MirrorRequest:
    request = _request(choice)
    if not choice.narrows_files:
        return request
    codes: list[str] = []
    if choice.product_names:
        table = load_device_table(parts.settings.devices_file)
        devices = choose_devices(
            parts.archive,
            table,
            codes=choice.devices,
            locations=choice.locations,
            categories=choice.categories,
            now=parts.clock(),
        )
        codes = [device.code for device in devices]
    return replace(request, selection=choice.selection(parts.archive, codes, extensions=parts.settings.extensions))


def _print_report(report: RunReport, store_url: str) -> None:
    rows = [(one.device, *(getattr(one, name) for name in _COUNTS), Size(one.bytes)) for one in report.by_device]
    print_table(f"Run {report.run_id}: {report.state}", ("device", *_COUNTS, "transferred"), rows)
    problems = [(one.device, "failed", one.reason, one.detail) for one in report.errors]
    problems += [(one.filename, str(one.decision), one.reason, one.detail) for one in report.attention]
    if problems:
        # Errors begin with what they are about, which has a column of its own here.
        told = [(*facts, detail.removeprefix(f"{facts[0]}: ")) for *facts, detail in problems]
        print_table("Needs attention", ("file or device", "outcome", "reason", "what happened"), told)
    print_text(closing_sentence(report))
    if report.mirrored:
        click.echo(f"Mirrored to {store_url}.")
