"""`python -m infra.sandbox up|demo`: the commands behind `make sandbox` and `make demo`.

Exit codes: 0 all went well (with `--once`: the run reached a completed state), 1 a part or the run failed,
2 it cannot start as asked, 130 or 143 stopped by Ctrl-C or SIGTERM before that.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
import httpx
from rich.console import Console

from infra.sandbox.demo import mirror_one_hour, print_directions, print_farewell, print_summary
from infra.sandbox.options import ROOT, SandboxOptions
from infra.sandbox.parts import PartError
from infra.sandbox.up import Sandbox, SandboxError, running_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

WATCH_S = 0.5


class Stopped(BaseException):
    """Somebody wants the sandbox to end. Like KeyboardInterrupt it is nobody's error to handle.

    Attributes:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _port(variable: str, default: int) -> Callable[[Any], Any]:
    name = f"--{variable.lower().replace('_', '-')}-port"
    return click.option(
        name,
        envvar=f"SANDBOX_{variable}_PORT",
        type=click.IntRange(0, 65_535),
        default=default,
        show_default=True,
        show_envvar=True,
        help="0: any free one.",
    )


def _choices(command: Callable[..., None]) -> Callable[..., None]:
    options = [
        _port("ARCHIVE", 8765),
        _port("S3", 9300),
        _port("PREFECT", 4200),
        click.option(
            "--size",
            envvar="SANDBOX_SIZE",
            default="tiny",
            show_default=True,
            show_envvar=True,
            help="Size of the archive's files: tiny, realistic, or bytes such as 24MB.",
        ),
        click.option(
            "--state",
            envvar="SANDBOX_STATE",
            type=click.Path(file_okay=False, path_type=Path),
            default=ROOT / ".sandbox",
            show_default=".sandbox",
            show_envvar=True,
            help="Folder of all state.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group(help=__doc__)
def main() -> None:
    """Choose a command."""


@main.command()
@_choices
def up(**choices: Any) -> None:
    """Start the sandbox and keep it up until Ctrl-C."""
    _run(_options(choices), _stay_up)


@main.command()
@click.option("--once", is_flag=True, help="End after the run.")
@_choices
def demo(*, once: bool, **choices: Any) -> None:
    """Start the sandbox and mirror an hour in it."""

    def show(sandbox: Sandbox, console: Console) -> int:
        run = mirror_one_hour(sandbox, console)
        print_summary(sandbox, run, console)
        if not once:
            return _stay_up(sandbox, console)
        print_farewell(sandbox, console)
        return 0 if run.is_completed else 1

    _run(_options(choices), show)


def _options(choices: dict[str, Any]) -> SandboxOptions:
    return SandboxOptions(**{**choices, "state": choices["state"].resolve()})


def _run(options: SandboxOptions, work: Callable[[Sandbox, Console], int]) -> NoReturn:
    console = Console(highlight=False)
    logging.getLogger("stamina").setLevel(logging.ERROR)  # a busy Prefect database is no news
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)

    def say(line: str) -> None:
        console.print(line, soft_wrap=True)

    try:
        with running_sandbox(options, say) as sandbox:
            code = work(sandbox, console)
    except Stopped as stopped:
        code = 128 + stopped.number
    except SandboxError as error:
        console.print(str(error), style="red", soft_wrap=True, markup=False)
        code = 2
    except (PartError, httpx.HTTPError) as error:
        console.print(str(error), style="red", soft_wrap=True, markup=False)
        code = 1
    sys.exit(code)


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    # Once is enough: what follows must not be cut short by an impatient second Ctrl-C.
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(number)


def _stay_up(sandbox: Sandbox, console: Console) -> int:
    print_directions(sandbox, console)
    console.print("The sandbox is up. Ctrl-C stops it.")
    while True:
        time.sleep(WATCH_S)
        sandbox.parts.check_alive()


if __name__ == "__main__":
    main()
