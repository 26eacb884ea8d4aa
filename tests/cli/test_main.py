"""The console script itself: help, version, what it imports, how it logs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import click.testing
import pytest

from onc_mirror.cli.main import COMMANDS, LazyGroup, cli

if TYPE_CHECKING:
    from tests.support.console import Console

HEAVY = ("pandas", "numpy", "s3fs", "boto3", "h5py", "sqlalchemy", "rich", "prefect", "onc_mirror.mirroring")


def test_help_names_every_command_and_imports_none(console: Console) -> None:
    answer = console.run("--help")
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "onc_mirror.cli.main", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=console.environment,
    ).stderr

    assert answer.code == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\w.+[^.]\.$", answer.out, re.MULTILINE), name
    assert "click" in loaded
    assert [name for name in HEAVY if re.search(rf"\| +{re.escape(name)}$", loaded, re.MULTILINE)] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_of_a_command_is_short_and_explains_every_option(name: str) -> None:
    answer = click.testing.CliRunner().invoke(cli, [name, "--help"], catch_exceptions=False)
    assert isinstance(cli, LazyGroup)
    command = cli.get_command(click.Context(cli), name)

    assert answer.exit_code == 0
    assert len(answer.output.splitlines()) < 50
    assert command is not None
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert options
    assert all(option.help for option in options)


@pytest.mark.parametrize("name", ["list", "mirror"])
def test_help_tells_units_and_forms(name: str) -> None:
    said = " ".join(click.testing.CliRunner().invoke(cli, [name, "--help"]).output.split())

    assert "20000 (bytes), 10MB, 1GiB" in said
    assert "2026-11-22T06:00 (UTC)" in said
    assert "PT6H" in said


def test_version(console: Console) -> None:
    assert console.run("--version").out == f"onc-mirror {version('onc-mirror')}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--nosuch",),
        ("mirror", "--nosuch"),
        ("nosuch",),
        ("mirror", "--min-size", "large"),
        ("list", "--json", "--csv", "-"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_nothing_on_stdout(console: Console, arguments: tuple[str, ...]) -> None:
    answer = console.run(*arguments)

    assert (answer.code, answer.out) == (2, "")
    assert "Error: " in answer.err


def test_verbose_logs_files_in_utc_on_stderr_without_the_token(console: Console) -> None:
    answer = console.run(
        "-v", "mirror", "-d", "TUMSTANDARDMODULE001", "--since", "2022-05-02T11:00", "--until", "PT1H", "--json"
    )

    assert answer.code == 0
    assert json.loads(answer.out)["mirrored"] == 1
    (line,) = [line for line in answer.err.splitlines() if "decision=mirrored" in line]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO onc_mirror\.\w+ file=", line)


def test_a_fault_of_our_own_is_traced_without_the_token(console: Console) -> None:
    token = console.environment["ONC_TOKEN"]
    code = (
        "import sys; from onc_mirror.cli import main\n"
        f"def broken(*_, **__): raise RuntimeError('https://archive/?token={token}')\n"
        "main.cli.main = broken; main.main([])"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=console.environment
    )

    assert ended.returncode == 1
    assert "RuntimeError" in ended.stderr
    assert token not in ended.stderr
