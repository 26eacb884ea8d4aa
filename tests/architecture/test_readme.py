"""The README says what is true: its settings are those there are, and its commands are understood."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click
import isodate
from pydantic_core import PydanticUndefined

from infra.sandbox.environment import part_environment
from infra.sandbox.options import ROOT, SandboxOptions
from infra.sandbox.orchestrator import WORK_POOL
from onc_mirror.cli.main import cli
from onc_mirror.settings import MirrorSettings
from onc_mirror.settings.declared import variable_of
from onc_mirror.settings.secret_files import SUFFIX
from onc_mirror.settings.secrets import secret_variables

if TYPE_CHECKING:
    from pathlib import Path

README = ROOT / "README.md"


def settings_rows() -> list[str]:
    rows = []
    for name, field in MirrorSettings.model_fields.items():
        rows.append(f"| `{variable_of(name)}` | {field.description} | {default_text(field.default)} |")
    return rows


def default_text(default: Any) -> str:
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return ""
    if isinstance(default, timedelta):
        return f"`{isodate.duration_isoformat(default)}`"
    if isinstance(default, tuple):
        return f"`{','.join(default_text(part).strip('`') for part in default)}`"
    if isinstance(default, float):
        return f"`{default:g}`"
    human = getattr(default, "human_readable", None)
    return f"`{human() if human else default}`"


def test_the_settings_table_is_that_of_the_settings() -> None:
    rows = settings_rows()

    assert len(rows) > 15
    table = [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert [line for line in table if line.startswith(("| `ONC_", "| `AWS_ENDPOINT_URL"))] == rows


def test_it_names_every_secret_that_may_come_in_a_file() -> None:
    told = README.read_text(encoding="utf-8")

    assert [variable for variable in secret_variables() if f"`{variable}{SUFFIX}`" not in told] == []


def commands(program: str) -> list[list[str]]:
    """Every command of the README's shell blocks that begins with `program`, in words."""
    text = README.read_text(encoding="utf-8")
    lines = [line for block in text.split("```sh\n")[1:] for line in block.partition("```")[0].splitlines()]
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words[:1] == [program]]


def test_every_command_of_onc_mirror_is_understood() -> None:
    shown = commands("onc-mirror")

    assert len(shown) > 5
    for _, name, *arguments in shown:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        command.make_context(name, arguments)


def test_the_prefect_server_and_worker_are_those_that_the_sandbox_runs(tmp_path: Path) -> None:
    options = SandboxOptions(state=tmp_path, archive_port=1, s3_port=2, prefect_port=4200, size="tiny")
    in_sandbox = part_environment(options)

    exported = dict(word.split("=", 1) for words in commands("export") for word in words[1:])

    for_prefect = {name: value for name, value in exported.items() if name.startswith("PREFECT_")}
    assert len(for_prefect) == 11
    assert {name: in_sandbox[name].replace(str(ROOT), "$PWD") for name in for_prefect} == for_prefect
    prefect = [" ".join(words) for words in commands("prefect")]
    assert ["onc-mirror", "deploy"] in commands("onc-mirror")
    assert f"prefect worker start --pool {WORK_POOL}" in prefect
