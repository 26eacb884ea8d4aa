"""Entry point: finds the command, sets up logging, and turns errors into one clear line and an exit code."""

from __future__ import annotations

import importlib
import json
import logging
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from onc_mirror.cli.stopping import Stopper
from onc_mirror.errors import MirrorError, SettingsError, UnexpectedError
from onc_mirror.faults import named
from onc_mirror.logs import formatter_of
from onc_mirror.redacting import RedactingFilter, clean_lines, redact

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO

_GO_ON = frozenset({"backfill", "mirror", "reconcile", "scrub"})
"""Commands that go on, when they are given again, where they were stopped."""

FAILED = 1
USAGE = 2

# Each command's module is imported only when it runs: starting is what a cron job on a tiny VM pays every hour. Their
# names are strings for another reason, too: `deploy` lives above this package, with Prefect (docs/decisions/0013).
COMMANDS = {
    "alerts": ("onc_mirror.cli.alerts:alerts", "Show what is wrong, and who was told; test the receivers."),
    "backfill": ("onc_mirror.cli.backfill:backfill", "Mirror the data of a range of days."),
    "deploy": ("deployments.command:deploy", "Register what runs when, and who is told, with Prefect."),
    "devices": ("onc_mirror.cli.browse:devices", "Show the devices, and which are in the water."),
    "doctor": ("onc_mirror.cli.doctor:doctor", "Check everything that a run needs."),
    "list": ("onc_mirror.cli.browse:list_files", "List what the archive has, without downloading."),
    "metrics": ("onc_mirror.cli.metrics:metrics", "Tell metrics to Prometheus."),
    "mirror": ("onc_mirror.cli.mirror:mirror", "Mirror what the archive newly took in."),
    "products": ("onc_mirror.cli.browse:products", "Show the data products that devices offer."),
    "quarantine": ("onc_mirror.cli.quarantine:quarantine", "Look at bad files; try them again, or release them."),
    "rebuild": ("onc_mirror.cli.rebuild:rebuild", "Make a lost ledger anew from the bucket alone."),
    "reconcile": ("onc_mirror.cli.reconcile:reconcile", "Compare archive, ledger and bucket; fetch what is missing."),
    "scrub": ("onc_mirror.cli.scrub:scrub", "Read stored objects back; mend what is damaged."),
    "status": ("onc_mirror.cli.status:status", "Show how far the mirror is."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for, and not for the list of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import and return one command, None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]} is no command.")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


class StderrHandler(logging.StreamHandler["TextIO"]):
    """Logs to what is standard error at that moment, so that a progress bar can keep lines out of its way."""

    @property
    def stream(self) -> TextIO:
        """Standard error."""
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        """Ignore what the base class sets."""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="onc-mirror", message="%(prog)s %(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Log every file on stderr.")
def cli(*, verbose: bool) -> None:
    """Mirror the archive files of Ocean Networks Canada into S3-compatible storage.

    Settings come from the environment: ONC_TOKEN, ONC_MIRROR_STORE_URL, AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY; the README lists them all.

    Results are on stdout; with --json as one JSON document, which is {"error": {"reason", "detail"}} when there are
    none. Exit codes: 0 nothing is wrong, 1 something failed, 2 wrong option or setting, 3 done, but files are held or
    quarantined.
    """
    from onc_mirror.settings import LogSettings, load_settings  # noqa: PLC0415 - who asks for help needs no settings

    handler = StderrHandler()
    handler.addFilter(RedactingFilter())
    handler.setFormatter(formatter_of(load_settings(LogSettings).log_format))
    logging.basicConfig(level=logging.ERROR, handlers=[handler])
    logging.getLogger("onc_mirror").setLevel(logging.INFO if verbose else logging.ERROR)
    logging.getLogger("onc_mirror.settings").setLevel(logging.WARNING)


def main(arguments: list[str] | None = None) -> None:
    """Run the console script and exit."""
    stopper = Stopper()
    stopper.listen()
    sys.excepthook = _print_redacted
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run(arguments)
    except (click.Abort, KeyboardInterrupt):
        _answer_programs(arguments, "interrupted", "The command was told to stop.")
        given = sys.argv[1:] if arguments is None else arguments
        stopper.leave(" Given again, it goes on from there." if _GO_ON.intersection(given) else "")
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code; what went wrong is told on stderr, and to programs on stdout too."""
    try:
        code: Any = cli.main(arguments, prog_name="onc-mirror", standalone_mode=False)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.Abort:
        raise
    except click.ClickException as error:
        error.show()
        _answer_programs(arguments, "usage", error.format_message())
        return error.exit_code
    except MirrorError as error:
        _tell(arguments, error.reason, str(error))
        return USAGE if isinstance(error, SettingsError) else FAILED
    except OSError as error:
        # What a disk, a pipe or a folder refuses is the operator's to mend, not a fault to trace.
        _tell(arguments, "refused", f"{': '.join(filter(None, (_place(error), error.strerror)))}.")
        return FAILED
    except Exception as error:
        _answer_programs(arguments, UnexpectedError.reason, str(named(error)))
        raise
    return code or 0


def _tell(arguments: list[str] | None, reason: str, detail: str) -> None:
    click.echo(f"onc-mirror: {clean_lines(detail)}", err=True)
    _answer_programs(arguments, reason, detail)


def _answer_programs(arguments: list[str] | None, reason: str, detail: str) -> None:
    """Give who asked for JSON one document also when there is no answer, as far as stdout can be written."""
    if "--json" in (sys.argv[1:] if arguments is None else arguments):
        with suppress(OSError):
            click.echo(json.dumps({"error": {"reason": reason, "detail": redact(detail)}}, indent=2))


def _place(error: OSError) -> str:
    return str(error.filename) if error.filename is not None else "The result cannot be written"


def _print_redacted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(clean_lines("".join(traceback.format_exception(kind, error, trace))))


if __name__ == "__main__":
    main()
