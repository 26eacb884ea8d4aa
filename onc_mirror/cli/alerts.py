"""`onc-mirror alerts`: what is wrong at this moment, and whether those who are to be told can be reached."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from onc_mirror.alerts.receivers import receivers_of
from onc_mirror.alerts.telling import Kind, Message
from onc_mirror.alerts.words import alert_json
from onc_mirror.cli.options import json_option
from onc_mirror.cli.tables import print_table, print_text
from onc_mirror.errors import SettingsError
from onc_mirror.ledger import open_ledger
from onc_mirror.redacting import clean
from onc_mirror.settings import LedgerSettings, load_settings
from onc_mirror.threads import within
from onc_mirror.utc import time_text

if TYPE_CHECKING:
    from onc_mirror.ledger.alerts import Alert, Telling

_COLUMNS = ("cause", "about", "since", "times", "told", "what is the matter")


@click.command()
@click.option("--test", "is_test", is_flag=True, help="Send a test message to every receiver instead.")
@json_option
@click.pass_context
def alerts(context: click.Context, *, is_test: bool, as_json: bool) -> None:
    """Show the open alerts, from the ledger alone, and who was told of each.

    What each means and what to do is in docs/runbook.md, under the name of its cause. With --test every receiver of
    ONC_MIRROR_ALERT_WEBHOOK and ONC_MIRROR_ALERT_URLS gets a message, and it is said which did not take it.

    Exit codes: 0; with --test 1 when a receiver did not take it; 2 wrong option or setting, or no ledger there.
    """
    if is_test:
        context.exit(_test(as_json=as_json))
    settings = load_settings(LedgerSettings)
    with open_ledger(settings.ledger, variable=settings.ledger_variable, create=False) as ledger:
        found = [alert for alert in ledger.alerts.read() if alert.is_open]
        told = ledger.alerts.tellings()
    if as_json:
        click.echo(json.dumps({"alerts": [{**alert_json(one), "told": _told(one, told)} for one in found]}, indent=2))
    elif not found:
        print_text("There is no open alert.")
    else:
        print_table("Open alerts", _COLUMNS, [_row(one, told) for one in found])


def _test(*, as_json: bool) -> int:
    settings = load_settings()
    receivers = receivers_of(settings)
    if not receivers:
        raise SettingsError("ONC_MIRROR_ALERT_WEBHOOK, ONC_MIRROR_ALERT_URLS: neither is set, so nobody is told.")
    test = Message(Kind.TEST, None)
    for receiver in receivers:
        receiver.prepare()
    calls = [partial(receiver.take, test, settings.store_url) for receiver in receivers]
    troubles = [
        "it did not answer in time" if trouble is None else trouble
        for trouble in within(settings.alert_timeout_s, calls, "alert")
    ]
    answers = {receiver.name: clean(trouble) for receiver, trouble in zip(receivers, troubles, strict=True)}
    if as_json:
        click.echo(
            json.dumps({"receivers": [{"name": one, "trouble": why} for one, why in answers.items()]}, indent=2)
        )
    else:
        for name, trouble in answers.items():
            print_text(f"{name}: not taken, {trouble}." if trouble else f"{name}: taken.")
    return int(any(answers.values()))


def _told(alert: Alert, told: tuple[Telling, ...]) -> dict[str, str]:
    mine = [one for one in told if one.key == alert.key]
    return {one.receiver: time_text(one.told_at) for one in mine}


def _row(alert: Alert, told: tuple[Telling, ...]) -> tuple[Any, ...]:
    receivers = ", ".join(_told(alert, told)) or "nobody yet"
    return alert.cause, alert.subject or "-", alert.since, alert.count, receivers, clean(alert.detail)
