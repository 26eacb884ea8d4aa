"""`onc-mirror backfill`: a range of data time, in this process, without an orchestrator."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import click

from onc_mirror.backfill.forecasting import look_ahead
from onc_mirror.backfill.spanning import BackfillRequest, data_days
from onc_mirror.backfill.story import backfill as run_backfill
from onc_mirror.backfill.words import forecast_sentence
from onc_mirror.cli.narrowing import selection_of
from onc_mirror.cli.options import Choice, choosing_data, json_option
from onc_mirror.cli.reports import print_report
from onc_mirror.cli.running import quieten, running
from onc_mirror.cli.tables import Size, print_table, print_text
from onc_mirror.errors import SettingsError
from onc_mirror.settings import load_settings

if TYPE_CHECKING:
    from onc_mirror.backfill.forecasting import Forecast
    from onc_mirror.mirror import Mirror

_MOST_SHOWN = 200


@click.command()
@choosing_data
@click.option("--dry-run", is_flag=True, help="Say what would be fetched and how long it may take; fetch nothing.")
@click.option(
    "--only",
    type=click.Choice(["failed"]),
    help="With failed: only files that failed before, that is those that the ledger holds and those that were given"
    " up (quarantined) after their last attempt; not those quarantined for what is in them. Of the held ones those"
    " whose next try is due. Days without any are not even listed.",
)
@json_option
@click.pass_context
def backfill(
    context: click.Context, choice: Choice, *, dry_run: bool, only: Literal["failed"] | None, as_json: bool
) -> None:
    """Mirror the data of a range of days.

    Of all devices that were in the water then, files of ONC_MIRROR_EXTENSIONS, unless the options say otherwise.
    Whole days, UTC: a file belongs to the day on which its data begin. What is mirrored already is not fetched again,
    so a backfill that was stopped or killed is simply repeated. No watermark moves. It has no more than
    ONC_MIRROR_BACKFILL_SHARE of the transfers, together with all other backfills on the same ledger.

    Exit codes: 0 all is accounted for, 1 something failed, 2 wrong option or setting, 3 done, but files are held or
    quarantined; 130 or 143 when stopped. With --dry-run 0, or 1 when something could not be listed.
    """
    quieten(context, as_json=as_json)
    settings = load_settings()
    with running(context, settings) as (parts, bar):
        request = _request(parts, choice, only_failed=only is not None)
        if dry_run:
            forecast = look_ahead(parts, request, bar)
        else:
            report = run_backfill(parts, request, bar)
    if dry_run:
        click.echo(forecast.to_json()) if as_json else _print_forecast(forecast)
        context.exit(forecast.exit_code)
    click.echo(report.to_json()) if as_json else print_report(report, settings.store_url)
    context.exit(report.exit_code)


def _request(parts: Mirror, choice: Choice, *, only_failed: bool) -> BackfillRequest:
    if choice.since is None:
        raise SettingsError("--since must say where the data begin.")
    request = BackfillRequest(
        choice.since,
        choice.until,
        devices=choice.devices,
        locations=choice.locations,
        categories=choice.categories,
        only_failed=only_failed,
    )
    days = data_days(request, parts.clock())
    return replace(request, selection=selection_of(parts, choice, days))


def _print_forecast(forecast: Forecast) -> None:
    rows = [(day.device, day.day, day.files, Size(day.bytes)) for day in forecast.days[:_MOST_SHOWN]]
    if rows:
        print_table("To be fetched", ("device", "day", "files", "bytes"), rows)
    if (more := len(forecast.days) - len(rows)) > 0:
        print_text(f"... and {more} more days of devices; --json names all.")
    problems = [(error.device, error.reason, error.detail) for error in forecast.rest.errors]
    if problems:
        print_table("Not listed", ("device", "reason", "what happened"), problems)
    print_text(forecast_sentence(forecast))
