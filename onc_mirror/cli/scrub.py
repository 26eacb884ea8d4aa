"""`onc-mirror scrub`: stored objects read back and held against what was proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from onc_mirror.cli.options import Bytes, devices_option, json_option
from onc_mirror.cli.running import quieten, running
from onc_mirror.cli.tables import print_table, print_text
from onc_mirror.scrub.findings import closing_sentence
from onc_mirror.scrub.story import ScrubRequest
from onc_mirror.scrub.story import scrub as run_scrub
from onc_mirror.settings import load_settings

if TYPE_CHECKING:
    from onc_mirror.scrub.findings import Scrubbed


@click.command()
@devices_option("Only objects of this device.")
@click.option("--budget", type=Bytes(), metavar="SIZE", help="Read at most SIZE: 500MB, 20GiB.  [the settings']")
@click.option("--force", is_flag=True, help="Repair also what looks like an accident with the whole bucket.")
@json_option
@click.pass_context
def scrub(
    context: click.Context, *, devices: tuple[str, ...], budget: int | None, force: bool, as_json: bool
) -> None:
    """Read stored objects back, and mend what is damaged.

    New objects first, then those whose last proof is oldest, so many that each is read within ONC_MIRROR_SCRUB_DAYS
    at one run a day; never more than ONC_MIRROR_SCRUB_BUDGET. An object that is not what was proven is read once
    more, then fetched from the archive again; its bytes are kept under quarantine/. Uploads that a killed run left
    more than a day ago are aborted. Nothing is written unless something is wrong.

    Exit codes: 0 all is what was proven, or is again; 1 something is lost, or could not be read or mended; 2 wrong
    option or setting; 3 done, but files are held or quarantined. Stopping it is harmless: the next run goes on.
    """
    quieten(context, as_json=as_json)
    settings = load_settings()
    request = ScrubRequest(devices, budget, force)
    with running(context, settings) as (parts, bar):
        scrubbed = run_scrub(parts, request, bar)
    if as_json:
        click.echo(scrubbed.to_json())
    else:
        _print_scrubbed(scrubbed)
    context.exit(scrubbed.report.exit_code)


def _print_scrubbed(scrubbed: Scrubbed) -> None:
    report = scrubbed.report
    rows = [
        (one.device, one.listed, one.already, one.mirrored, one.held + one.quarantined, one.gone, one.failed)
        for one in report.by_device
    ]
    columns = ("device", "read", "as proven", "fetched again", "held", "gone", "failed")
    print_table(f"Run {report.run_id}: {report.state}", columns, rows)
    told = [(one.filename, str(one.decision), one.reason, one.detail) for one in report.files]
    if told:
        print_table("Not as proven", ("file", "outcome", "reason", "what happened"), told)
    print_text(closing_sentence(scrubbed))
