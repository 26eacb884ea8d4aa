"""The report of a run as people read it: a table per device, what needs attention, and a closing sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from onc_mirror.cli.tables import Size, print_table, print_text
from onc_mirror.report.words import closing_sentence

if TYPE_CHECKING:
    from onc_mirror.report.document import RunReport

_COUNTS = ("listed", "mirrored", "already", "held", "quarantined", "filtered", "gone", "failed")


def print_report(report: RunReport, store_url: str) -> None:
    """Print the report on standard output."""
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
