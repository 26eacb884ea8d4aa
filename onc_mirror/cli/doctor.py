"""`onc-mirror doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from onc_mirror.cli.options import Duration, json_option
from onc_mirror.cli.tables import readable
from onc_mirror.doctor import examine
from onc_mirror.ledger import NOTHING_RAN, NoLedgerError, open_ledger
from onc_mirror.liveness import Liveness, liveness
from onc_mirror.redacting import redact
from onc_mirror.settings import LedgerSettings, load_settings

if TYPE_CHECKING:
    from onc_mirror.store.checking import Finding

_INDENT = " " * 5
_WITHIN = timedelta(hours=3)


@click.command()
@click.option("--liveness", "asks_liveness", is_flag=True, help="Only say whether hourly runs end well, in one line.")
@click.option(
    "--within", type=Duration(), metavar="DURATION", help="With --liveness: one must have within this.  [PT3H]"
)
@json_option
@click.pass_context
def doctor(context: click.Context, *, asks_liveness: bool, within: timedelta | None, as_json: bool) -> None:
    """Check everything that a run needs, and say how to mend what is wrong.

    Archive, clock, token, device table, each device that a run would ask; bucket: whether it is there, write, read,
    list, copy, upload in parts, find and abort uploads, delete, in a scratch prefix; ledger; disks; validation.

    With --liveness nothing of that, only whether an hourly run has ended without a failure within DURATION, or is at
    work. That is in the ledger, so it needs no token, no network and no Prefect: a probe for systemd, Kubernetes or
    Nagios.

    Exit codes: 0 nothing is wrong, or the mirror lives; 1 something is, or it does not; 2 wrong option or setting.
    """
    if asks_liveness:
        context.exit(_tell_liveness(within or _WITHIN, as_json=as_json))
    if within is not None:
        raise click.UsageError("--within goes with --liveness.")
    findings = []
    for finding in examine(load_settings(), now=datetime.now(UTC)):
        findings.append(finding)
        if not as_json:
            _print(finding)
    bad = sum(not finding.ok for finding in findings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        click.echo(f"{bad} of {len(findings)} checks are bad." if bad else "Nothing is wrong.")
    context.exit(2 if any(finding.wrong_setting for finding in findings) else 1 if bad else 0)


def _tell_liveness(within: timedelta, *, as_json: bool) -> int:
    settings = load_settings(LedgerSettings)
    try:
        with open_ledger(settings.ledger, variable=settings.ledger_variable, create=False) as ledger:
            found = liveness(ledger, within, datetime.now(UTC))
    except NoLedgerError as error:
        found = Liveness(alive=False, detail=f"Not alive: there is no ledger at {error.place}: {NOTHING_RAN}")
    click.echo(json.dumps(asdict(found), indent=2) if as_json else readable(found.detail))
    return int(not found.alive)


def _print(finding: Finding) -> None:
    mark = click.style("ok ", fg="green") if finding.ok else click.style("BAD", fg="red", bold=True)
    text = readable(redact(f"{finding.name}: {finding.detail} {finding.remedy}".rstrip()))
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - len(_INDENT)
        text = textwrap.indent(textwrap.fill(text, max(width, 20), break_on_hyphens=False), _INDENT).lstrip()
    click.echo(f"{mark}  {text}")
