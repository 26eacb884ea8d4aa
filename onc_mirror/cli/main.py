"""Entry point: finds the command, sets up logging, and turns errors into one clear line and an exit code."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import Any

import click

from onc_mirror.errors import MirrorError, SettingsError
from onc_mirror.redacting import RedactingFilter

FAILED = 1
USAGE = 2

# Each command's module is imported only when it runs: starting is what a cron job on a tiny VM pays every hour.
COMMANDS = {
    "devices": "onc_mirror.cli.browse:devices",
    "doctor": "onc_mirror.cli.doctor:doctor",
    "list": "onc_mirror.cli.browse:list_files",
    "mirror": "onc_mirror.cli.mirror:mirror",
    "products": "onc_mirror.cli.browse:products",
    "status": "onc_mirror.cli.status:status",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import and return one command, None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name]} is no command.")
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="onc-mirror")
@click.option("-v", "--verbose", is_flag=True, help="Log every file, not only what needs attention.")
def cli(*, verbose: bool) -> None:
    """Mirror the archive files of Ocean Networks Canada into S3-compatible storage.

    Settings come from the environment: ONC_TOKEN, ONC_MIRROR_STORE_URL, AWS_*; the README lists them all.
    """
    handler = logging.StreamHandler()
    handler.addFilter(RedactingFilter())
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        handlers=[handler],
    )


def main(arguments: list[str] | None = None) -> Any:
    """Run the console script and exit."""
    try:
        code = cli.main(arguments, prog_name="onc-mirror", standalone_mode=False)
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. The next run goes on from here.", err=True)
        code = 130
    except SettingsError as error:
        click.echo(f"onc-mirror: {error}", err=True)
        code = USAGE
    except MirrorError as error:
        click.echo(f"onc-mirror: {error}", err=True)
        code = FAILED
    sys.exit(code or 0)


if __name__ == "__main__":
    main()
