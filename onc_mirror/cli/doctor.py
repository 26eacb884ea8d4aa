"""`onc-mirror doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from onc_mirror.cli.options import json_option
from onc_mirror.cli.tables import readable
from onc_mirror.doctor import examine
from onc_mirror.redacting import redact
from onc_mirror.settings import load_settings

if TYPE_CHECKING:
    from onc_mirror.store.checking import Finding

_INDENT = " " * 5


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Check everything that a run needs, and say how to mend what is wrong.

    Archive, clock, token, device table, each device that a run would ask; bucket: whether it is there, write, read,
    list, copy, upload in parts, delete, in a scratch prefix; ledger; disks; validation.

    Exit codes: 0 nothing is wrong, 1 something is, 2 wrong option or setting.
    """
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


def _print(finding: Finding) -> None:
    mark = click.style("ok ", fg="green") if finding.ok else click.style("BAD", fg="red", bold=True)
    text = readable(redact(f"{finding.name}: {finding.detail} {finding.remedy}".rstrip()))
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - len(_INDENT)
        text = textwrap.indent(textwrap.fill(text, max(width, 20), break_on_hyphens=False), _INDENT).lstrip()
    click.echo(f"{mark}  {text}")
