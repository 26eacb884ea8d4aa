"""`onc-mirror deploy`: what the files declare, on the Prefect server.

Prefect is imported only when the command runs; its help must not wait seconds for that.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError

from deployments.changes import told
from deployments.declared import SHIPPED, read_declaration
from onc_mirror.cli.options import json_option
from onc_mirror.cli.tables import print_table, print_text
from onc_mirror.errors import SettingsError
from onc_mirror.settings import AlertSettings, TableSettings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from deployments.changes import Action
    from deployments.deploying import Deployed

_DONE: dict[Action, str] = {"create": "created", "update": "changed", "delete": "deleted"}


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=SHIPPED,
    metavar="FOLDER",
    help="Where prefect.yaml and automations.yaml are.  [default: those that ship]",
)
@json_option
def deploy(*, dry_run: bool, folder: Path, as_json: bool) -> None:
    """Make the Prefect server hold what the files declare.

    That is the work pool, the deployments with their schedules, limits and parameters, the automations, and the
    notification blocks that these speak through: one for ONC_MIRROR_ALERT_WEBHOOK, one for ONC_MIRROR_ALERT_URLS.
    What carries the tag onc-mirror, or is an automation whose name begins with "onc-mirror: ", and is in no file, is
    deleted. A paused schedule or automation stays paused. A second run changes nothing.

    The server is that of PREFECT_API_URL; PREFECT_API_AUTH_STRING is its password, if it has one. The devices to
    choose from in the forms of the Prefect UI are those of ONC_MIRROR_DEVICES_FILE.

    Exit codes: 0 the server holds it, 1 the server refuses or does not answer, 2 wrong option, file or setting.
    """
    deploy_to_server = _with_prefect()
    from onc_mirror.devices import load_device_table  # noqa: PLC0415 - see above

    declaration = read_declaration(folder)
    load_device_table(load_settings(TableSettings).devices_file)
    deployed = deploy_to_server(declaration, load_settings(AlertSettings), dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(_document(deployed, dry_run=dry_run), indent=2, default=str))
    else:
        _print(deployed, dry_run=dry_run)


def _with_prefect() -> Callable[..., Deployed]:
    """Import what needs Prefect, which reads its own settings then.

    Raises:
        SettingsError: It does not take one of them.
    """
    try:
        from prefect.settings import get_current_settings  # noqa: PLC0415 - see above

        from deployments.deploying import deploy as deploy_to_server  # noqa: PLC0415 - see above

        get_current_settings()
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"])) or "of Prefect"
        raise SettingsError(
            f"The setting {place} is wrong ({problem['msg']}). Look at PREFECT_API_URL and the other variables"
            " whose names begin with PREFECT_."
        ) from None
    return deploy_to_server


def _document(deployed: Deployed, *, dry_run: bool) -> dict[str, Any]:
    changes = [
        {
            "kind": change.kind,
            "name": change.name,
            "action": change.action,
            "differences": [
                {"field": one.field, "was": one.was, "becomes": one.becomes} for one in change.differences
            ],
        }
        for change in deployed.changes
    ]
    return {
        "server": deployed.server,
        "dry_run": dry_run,
        "changes": changes,
        "unchanged": deployed.unchanged,
        "notes": list(deployed.notes),
    }


def _print(deployed: Deployed, *, dry_run: bool) -> None:
    if deployed.changes:
        rows = [(one.kind, one.name, one.action, told(one)) for one in deployed.changes]
        print_table("What would change" if dry_run else "What has changed", ("kind", "name", "change", "what"), rows)
    for note in deployed.notes:
        print_text(note)
    print_text(_sentence(deployed, dry_run=dry_run))


def _sentence(deployed: Deployed, *, dry_run: bool) -> str:
    if not deployed.changes:
        return f"Nothing to change: all {deployed.unchanged} are on {deployed.server} as declared."
    counts = Counter(change.action for change in deployed.changes)
    done = ", ".join(f"{counts[action]} {word}" for action, word in _DONE.items() if counts[action])
    would = "A dry run, nothing was done; it would be " if dry_run else ""
    rest = f", {deployed.unchanged} as declared already" if deployed.unchanged else ""
    return f"{would}{done}{rest}, on {deployed.server}."
