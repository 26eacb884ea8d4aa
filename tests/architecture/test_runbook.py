"""Every cause of an alert has its entry in the runbook, and the commands of the runbook are understood."""

from __future__ import annotations

import shlex

import click

from infra.sandbox.options import ROOT
from onc_mirror.alerts.causes import RUNBOOK, Cause
from onc_mirror.cli.main import cli

TEXT = (ROOT / RUNBOOK).read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0].strip().lower().replace(" ", "-"): part for part in TEXT.split("\n## ")[1:]}


def test_every_cause_has_its_entry_that_says_what_it_means_how_to_look_and_what_to_do() -> None:
    lacking = {
        (cause, word)
        for cause in Cause
        for word in ("**Means.**", "**Look.**", "**Do.**")
        if word not in SECTIONS.get(cause.runbook.partition("#")[2], "")
    }

    assert len(Cause) > 5
    assert lacking == set()


def test_every_command_of_the_runbook_is_understood() -> None:
    blocks = [block.partition("```")[0] for block in TEXT.split("```sh\n")[1:]]
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    ours = [words[1:] for words in lines if words[:1] == ["onc-mirror"]]

    assert len(ours) > 20
    for name, *arguments in ours:
        command = cli.get_command(click.Context(cli), name)
        if isinstance(command, click.Group):
            name, *arguments = arguments  # noqa: PLW2901 - the group's own command
            command = command.get_command(click.Context(command), name)
        assert command is not None
        command.make_context(name, arguments)
