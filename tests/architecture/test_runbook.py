"""Every cause of an alert has its entry in the runbook; what runbook and operating manual tell to do can be done."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatch

import click
import pytest

from infra.sandbox.options import ROOT
from onc_mirror.alerts.causes import Cause
from onc_mirror.cli.main import cli
from onc_mirror.settings import RUNBOOK

MANUAL = "docs/operating.md"
VARIABLE = re.compile(r"[A-Z_]+=")
TEXT = (ROOT / RUNBOOK).read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0].strip().lower().replace(" ", "-"): part for part in TEXT.split("\n## ")[1:]}


def test_every_cause_has_its_entry_that_says_what_it_means_how_to_look_and_what_to_do() -> None:
    lacking = {
        (cause, word)
        for cause in Cause
        for word in ("**Means.**", "**Look.**", "**Do.**")
        if word not in SECTIONS.get(cause, "")
    }

    assert len(Cause) > 5
    assert lacking == set()


def commands(document: str) -> list[list[str]]:
    """The words of every command in the shell blocks of a document, without variables that are set for it."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in text.split("```sh\n")[1:]]
    lines = [part for block in blocks for line in block.splitlines() for part in line.split(" && ")]
    words = [shlex.split(line, comments=True) for line in lines]
    return [line[sum(1 for word in line[:1] if VARIABLE.match(word)) :] for line in words if line]


@pytest.mark.parametrize(("document", "least"), [(RUNBOOK, 20), (MANUAL, 8)])
def test_every_command_of_a_document_is_understood(document: str, least: int) -> None:
    ours = [words[1:] for words in commands(document) if words[:1] == ["onc-mirror"]]

    assert len(ours) > least
    for name, *arguments in ours:
        command = cli.get_command(click.Context(cli), name)
        if isinstance(command, click.Group):
            name, *arguments = arguments  # noqa: PLW2901 - the group's own command
            command = command.get_command(click.Context(command), name)
        assert command is not None
        command.make_context(name, arguments)


def test_every_file_and_unit_that_the_manual_works_with_is_there() -> None:
    words = [word.strip("'\"") for line in commands(MANUAL) for word in line]
    files = [word for word in words if word.startswith("infra/")]
    units = [
        word for line in commands(MANUAL) if line[0] == "systemctl" for word in line if word.startswith("onc-mirror")
    ]
    there = [path.name for path in (ROOT / "infra" / "systemd").iterdir()]

    assert len(files) > 10
    assert not [name for name in files if not list(ROOT.glob(name))]
    assert len(units) > 10
    for unit in units:
        template = re.sub(r"@\w+(?=$|\.service)", "@", unit)
        assert any(fnmatch(name, pattern) for name in there for pattern in (unit, f"{template}.service")), unit


def test_the_manual_makes_every_secret_that_the_cluster_is_told_of() -> None:
    folders = (ROOT / "infra" / "kubernetes", ROOT / "infra" / "helm")
    text = "".join(path.read_text(encoding="utf-8") for folder in folders for path in folder.glob("*.yaml"))
    named = set(re.findall(r"(?:secretName|existingSecret|extraEnvVarsSecret|secretKeyRef: \{name): ([\w-]+)", text))
    made = {line[4] for line in commands(MANUAL) if line[:4] == ["kubectl", "create", "secret", "generic"]}

    assert len(named) > 2
    assert named <= made
