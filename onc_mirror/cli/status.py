"""`onc-mirror status`: where every device stands, from the ledger alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from onc_mirror.cli.options import json_option
from onc_mirror.cli.tables import print_table, size_text, stdout
from onc_mirror.ledger import open_ledger
from onc_mirror.model import State
from onc_mirror.settings import load_settings

if TYPE_CHECKING:
    from onc_mirror.ledger import DeviceSummary, RunRecord

_COUNTED = (State.MIRRORED, State.HELD, State.QUARANTINED, State.FILTERED, State.GONE, State.LISTED)


@click.command()
@json_option
def status(*, as_json: bool) -> None:
    """Show, per device, what is mirrored, held and quarantined, and how far the watermark is; and the last runs."""
    with open_ledger(load_settings().ledger) as ledger:
        devices, runs = ledger.summary(), ledger.runs(5)
    if as_json:
        answer = {"devices": [_device(one) for one in devices], "runs": [_run(one) for one in runs]}
        click.echo(json.dumps(answer, indent=2, default=str))
        return
    if not devices and not runs:
        click.echo("The ledger is empty: nothing has run yet.")
        return
    console = stdout()
    columns = ("device", "watermark", *map(str, _COUNTED), "mirrored bytes", "oldest held", "newest data")
    print_table("Devices", columns, [_cells(one) for one in devices], console=console)
    rows = [(one.run_id, one.flow, one.started_at, one.finished_at, one.state) for one in runs]
    print_table("Last runs", ("run", "flow", "began", "ended", "state"), rows, console=console)


def _cells(device: DeviceSummary) -> list[Any]:
    return [
        device.device_code,
        device.watermark,
        *(device.files[state] for state in _COUNTED),
        size_text(device.size_bytes[State.MIRRORED]),
        device.oldest_held_since,
        device.newest_data_at,
    ]


def _device(device: DeviceSummary) -> dict[str, Any]:
    return {
        "device": device.device_code,
        "watermark": device.watermark,
        "files": {str(state): device.files[state] for state in _COUNTED},
        "bytes": {str(state): device.size_bytes[state] for state in _COUNTED},
        "oldest_held_since": device.oldest_held_since,
        "newest_data_at": device.newest_data_at,
    }


def _run(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "flow": run.flow,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "state": run.state,
    }
