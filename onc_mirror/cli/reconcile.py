"""`onc-mirror reconcile`: archive, ledger and bucket compared, and what is missing fetched again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from onc_mirror.cli.options import devices_option, json_option, window_of
from onc_mirror.cli.running import quieten, running
from onc_mirror.cli.tables import Size, print_table, print_text
from onc_mirror.errors import SettingsError
from onc_mirror.reconcile.story import NIGHTLY_DAYS, ReconcileRequest
from onc_mirror.reconcile.story import reconcile as run_reconcile
from onc_mirror.reconcile.words import closing_sentence, difference_rows, witness_rows
from onc_mirror.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from onc_mirror.reconcile.findings import Reconciliation

_MOST_SHOWN = 200


@click.command()
@devices_option("Only this device.")
@click.option(
    "--days", type=click.IntRange(1, 36_500), metavar="N", help=f"Data of the last N days.  [{NIGHTLY_DAYS}]"
)
@click.option("--since", metavar="TIME", help="Data since the day of TIME: 2026-11-22, or a duration back: P30D.")
@click.option("--until", metavar="TIME", help="Data up to the day of TIME, or a duration after --since.  [now]")
@click.option("--dry-run", is_flag=True, help="Compare only; write nothing, fetch nothing.")
@click.option("--force", is_flag=True, help="Repair also what looks like an accident with the whole bucket.")
@json_option
@click.pass_context
def reconcile(  # noqa: PLR0913 - one argument per option
    context: click.Context,
    *,
    devices: tuple[str, ...],
    days: int | None,
    since: str | None,
    until: str | None,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Compare archive, ledger and bucket, and fetch what is missing or damaged.

    Every file and object gets a sign: = the same, + only in the archive, - only in the bucket, * differs, ! error.
    Whole days of data, UTC. Objects that nobody knows are told and never deleted. When more than a quarter of the
    files would change, nothing is done unless --force says so.

    Exit codes: 0 all is accounted for, 1 something failed or looks like an accident, 2 wrong option or setting, 3
    done, but look at what was found, or files are held or quarantined; with --dry-run 3 also when anything differs.
    """
    quieten(context, as_json=as_json)
    settings = load_settings()
    request = _request(since, until, days, devices, dry_run=dry_run, force=force)
    with running(context, settings) as (parts, bar):
        found = run_reconcile(parts, request, bar)
    if as_json:
        click.echo(found.to_json())
    else:
        _print_found(found)
    context.exit(found.exit_code)


def _request(  # noqa: PLR0913 - one argument per option
    since: str | None, until: str | None, days: int | None, devices: tuple[str, ...], *, dry_run: bool, force: bool
) -> ReconcileRequest:
    if days is not None and since is not None:
        raise SettingsError("--days and --since both say where to begin; leave one of them out.")
    begin, end = window_of(since, until)
    return ReconcileRequest(begin, end, days or NIGHTLY_DAYS, devices, dry_run=dry_run, force=force)


def _print_found(found: Reconciliation) -> None:
    totals = [(one.sign, str(one.standing), one.files, Size(one.bytes)) for one in found.counts()]
    title = f"Run {found.run_id}" if found.run_id else "Dry run"
    print_table(title, ("sign", "standing", "files", "bytes"), totals)
    for heading, rows in (
        ("Differences", difference_rows(found, _MOST_SHOWN)),
        ("Listed other than counted", witness_rows(found)),
        ("Devices", [{"device": error.device, "reason": error.reason} for error in found.errors if error.device]),
    ):
        _print_rows(heading, rows)
    print_text(closing_sentence(found))


def _print_rows(heading: str, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        print_table(heading, tuple(rows[0]), [tuple(row.values()) for row in rows])
