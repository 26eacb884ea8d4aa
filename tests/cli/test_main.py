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

from onc_mirror.cli.main import COMMANDS, cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.console import Answer, Console

ONE_HOUR = ("-d", "TUMSTANDARDMODULE001", "--since", "2022-05-02T11:00", "--until", "PT1H")

HEAVY = ("pandas", "numpy", "s3fs", "boto3", "h5py", "sqlalchemy", "rich", "prefect", "onc_mirror.hour")


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


def words_of_every_command() -> Iterator[tuple[str, ...]]:
    """Name each command as it is typed, those inside a group too."""
    context = click.Context(cli)
    for name in sorted(COMMANDS):
        command = cli.get_command(context, name)
        yield from (
            ((name, inner) for inner in sorted(command.commands)) if isinstance(command, click.Group) else [(name,)]
        )


@pytest.mark.parametrize("words", list(words_of_every_command()), ids=" ".join)
def test_help_of_a_command_is_short_and_explains_every_option(words: tuple[str, ...]) -> None:
    answer = click.testing.CliRunner().invoke(cli, [*words, "--help"], catch_exceptions=False)
    command = cli.get_command(click.Context(cli), words[0])
    if isinstance(command, click.Group):
        command = command.commands[words[1]]

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
    ],
)
def test_wrong_usage_is_exit_code_2_and_nothing_on_stdout(quick_console: Console, arguments: tuple[str, ...]) -> None:
    answer = quick_console.run(*arguments)

    assert (answer.code, answer.out) == (2, "")
    assert "Error: " in answer.err


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "reason"),
    [
        (("mirror", "--nosuch"), {}, 2, "usage"),
        (("list", "--csv", "-"), {}, 2, "usage"),
        (("mirror",), {"ONC_TOKEN": None}, 2, "settings"),
        (("doctor",), {"ONC_MIRROR_STORE_URL": "bucket"}, 2, "settings"),
        (("mirror",), {"ONC_TOKEN": "wr0ng-70c3n-of-somebody"}, 1, "token-rejected"),
        (("mirror", *ONE_HOUR), {"ONC_MIRROR_STORE_URL": "file:///nowhere"}, 1, "bucket-missing"),
        (("products", "-d", "TUMLIDAR999"), {}, 1, "unknown-device"),
        (("status",), {"ONC_MIRROR_LEDGER_URL": "postgresql://me@127.0.0.1:9/x"}, 1, "ledger-unavailable"),
        (("status",), {"ONC_MIRROR_DEVICES_FILE": None}, 0, None),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple | dict) else "",
)
def test_programs_get_one_document_whatever_happens(
    in_process: Callable[..., Answer],
    arguments: tuple[str, ...],
    variables: dict[str, str | None],
    code: int,
    reason: str | None,
) -> None:
    answer = in_process(*arguments, "--json", **variables)

    error = answer.json.get("error")
    assert answer.code == code
    assert (error and error["reason"]) == reason
    if error is not None:
        assert list(answer.json) == ["error"]
        assert " ".join(error["detail"].split()) in " ".join(answer.err.split())


def test_verbose_logs_files_in_utc_on_stderr_without_the_token(console: Console) -> None:
    answer = console.run("-v", "mirror", *ONE_HOUR, "--json")

    assert answer.code == 0
    assert json.loads(answer.out)["mirrored"] == 1
    (line,) = [line for line in answer.err.splitlines() if "decision=mirrored" in line]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO onc_mirror[.\w]+ file=", line)


def test_the_log_is_json_when_it_is_asked_for(console: Console) -> None:
    answer = console.run("status", ONC_MIRROR_LOG_FORMAT="json", ONC_MIRROR_STATE_DRI="/nowhere")
    refused = console.run("status", ONC_MIRROR_LOG_FORMAT="yaml")

    (line,) = [json.loads(line) for line in answer.err.splitlines()]
    assert (answer.code, refused.code) == (0, 2)
    assert (line["level"], line["logger"]) == ("WARNING", "onc_mirror.settings")
    assert "ONC_MIRROR_STATE_DRI" in line["message"]
    assert "ONC_MIRROR_LOG_FORMAT" in refused.err


def test_a_fault_of_our_own_is_traced_without_the_token(console: Console) -> None:
    token = console.environment["ONC_TOKEN"]
    code = (
        "import sys; from onc_mirror.cli import main\n"
        f"def broken(*_, **__): raise RuntimeError('https://archive/?token={token}')\n"
        "main.cli.main = broken; main.main(['status', '--json'])"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=console.environment
    )

    assert ended.returncode == 1
    assert "RuntimeError" in ended.stderr
    assert json.loads(ended.stdout)["error"]["reason"] == "unexpected"
    assert token not in ended.stderr + ended.stdout
