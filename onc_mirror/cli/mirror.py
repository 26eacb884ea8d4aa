"""`onc-mirror mirror`: one hour, in this process, without an orchestrator."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from onc_mirror.cli.narrowing import selection_of
from onc_mirror.cli.options import Choice, choosing, files_option, json_option
from onc_mirror.cli.reports import print_report
from onc_mirror.cli.running import quieten, running
from onc_mirror.errors import SettingsError
from onc_mirror.hour import mirror_hour
from onc_mirror.run.gathering import MirrorRequest
from onc_mirror.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from onc_mirror.model import ArchiveFile


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
    move the watermark. One that is narrowed so, or has a window of its own, is recorded as mirror-on-demand: it does
    not ask ONC_MIRROR_PING_URL, and is no sign that the schedule works.

    Exit codes: 0 all is accounted for, 1 something failed, 2 wrong option or setting, 3 done, but files are held or
    quarantined; 130 or 143 when stopped. Stopping or killing it is harmless: given again, it goes on from there.
    """
    quieten(context, as_json=as_json)
    settings = load_settings()
    only = None if files is None else _listed_in(files)
    if only is not None and (choice.narrows_files or _request(choice) != MirrorRequest()):
        raise SettingsError("--files already says which files; leave the other filters out.")
    with running(context, settings) as (parts, bar):
        request = (
            replace(_request(choice), selection=selection_of(parts, choice))
            if only is None
            else MirrorRequest(only=only)
        )
        report = mirror_hour(parts, request, bar)
    if as_json:
        click.echo(report.to_json())
    else:
        print_report(report, settings.store_url)
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
