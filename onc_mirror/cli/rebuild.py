"""`onc-mirror rebuild`: a ledger that was lost, made anew from the bucket alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from onc_mirror.cli.options import json_option
from onc_mirror.cli.running import quieten, running
from onc_mirror.cli.tables import print_table, print_text
from onc_mirror.rebuild.story import rebuild as run_rebuild
from onc_mirror.settings import load_settings
from onc_mirror.wording import counted

if TYPE_CHECKING:
    from onc_mirror.rebuild.story import Rebuilt

_MOST_SHOWN = 20


@click.command()
@click.option(
    "--into-existing", is_flag=True, help="Add what is missing to a ledger that is not empty; nothing else changes."
)
@json_option
@click.pass_context
def rebuild(context: click.Context, *, into_existing: bool, as_json: bool) -> None:
    """Make a lost ledger anew from the bucket alone.

    Every object says what it is; what says nothing, or contradicts itself, is told and not believed. What only the
    ledger knew (files held, filtered or gone) is found again by the runs to come: run 'onc-mirror mirror', then
    'onc-mirror reconcile --days 90'. Nothing is read, downloaded or deleted; the next scrubs read every object.

    Exit codes: 0 done; 1 something failed, and the same again goes on; 2 wrong option or setting, or the ledger is
    not empty; 3 done, but files are quarantined, or objects are not believed.
    """
    quieten(context, as_json=as_json)
    settings = load_settings()
    with running(context, settings) as (parts, bar):
        rebuilt = run_rebuild(parts, into_existing=into_existing, watcher=bar)
    if as_json:
        click.echo(rebuilt.to_json())
    else:
        _print_rebuilt(rebuilt)
    context.exit(rebuilt.exit_code)


def _print_rebuilt(rebuilt: Rebuilt) -> None:
    print_table("Objects", ("what they are", "objects"), sorted(rebuilt.counts.items()))
    watermarks = sorted(rebuilt.watermarks.items())
    print_table("Devices", ("device", "listed from"), watermarks)
    if rebuilt.strangers:
        shown = [(one.key, one.why) for one in rebuilt.strangers[:_MOST_SHOWN]]
        print_table("Not believed", ("object", "why"), shown)
        left = rebuilt.counts["strangers"] - len(shown)
        if left:
            print_text(f"... and {counted(left, 'object')} more: --json names them.")
    print_text(
        "What the archive has beyond this is found by 'onc-mirror mirror' and 'onc-mirror reconcile --days 90'."
    )
