"""`onc-mirror doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import click

from onc_mirror.cli.options import json_option
from onc_mirror.doctoring import examine
from onc_mirror.settings import load_settings


@click.command()
@json_option
def doctor(*, as_json: bool) -> None:
    """Check token, devices, bucket, ledger, clock and disk. Exits with 1 when something is wrong."""
    findings = []
    for finding in examine(load_settings(), now=datetime.now(UTC)):
        findings.append(finding)
        if not as_json:
            click.echo(
                f"{'ok  ' if finding.ok else 'BAD '} {finding.name}: {finding.detail} {finding.remedy}".rstrip()
            )
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    bad = sum(not finding.ok for finding in findings)
    if not as_json:
        click.echo("Nothing is wrong." if not bad else f"{bad} of {len(findings)} checks are bad.")
    if bad:
        raise click.exceptions.Exit(1)
