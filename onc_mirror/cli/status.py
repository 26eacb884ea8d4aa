"""`onc-mirror status`: where every device stands, from the ledger alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from onc_mirror.cli.options import json_option
from onc_mirror.cli.tables import Size, print_table
from onc_mirror.ledger import open_ledger
from onc_mirror.model import State
from onc_mirror.settings import LedgerSettings, load_settings
from onc_mirror.utc import time_text

if TYPE_CHECKING:
    from datetime import datetime

    from onc_mirror.ledger import DeviceSummary, RunRecord

_RUNS = 5
_COUNTED = (State.MIRRORED, State.HELD, State.QUARANTINED, State.FILTERED, State.GONE, State.LISTED)


@click.command()
@json_option
def status(*, as_json: bool) -> None:
    """Show how far the mirror is, from its ledger alone.

    Per device: its watermark, the archive time up to which everything listed is accounted for; its files by state;
    the bytes mirrored; since when the longest-held file is held; the end of the newest mirrored data. Then the last
    runs. Needs no token and no store, only ONC_MIRROR_LEDGER_URL or ONC_MIRROR_STATE_DIR. Times are UTC.
    """
    with open_ledger(load_settings(LedgerSettings).ledger) as ledger:
        devices, runs = ledger.summary(), ledger.runs(_RUNS)
    if as_json:
        answer = {"devices": [_device(one) for one in devices], "runs": [_run(one) for one in runs]}
        click.echo(json.dumps(answer, indent=2))
        return
    if not devices and not runs:
        click.echo("The ledger is empty: nothing has run yet.")
        return
    columns = ("device", "watermark", *map(str, _COUNTED), "size", "oldest held", "newest data")
    print_table("Devices", columns, [_cells(one) for one in devices])
    rows = [(one.run_id, one.flow, one.started_at, one.finished_at, one.state) for one in runs]
    print_table("Last runs", ("run", "flow", "began", "ended", "state"), rows)


def _cells(device: DeviceSummary) -> list[Any]:
    return [
        device.device_code,
        device.watermark,
        *(device.files[state] for state in _COUNTED),
        Size(device.size_bytes[State.MIRRORED]),
        device.oldest_held_since,
        device.newest_data_at,
    ]


def _device(device: DeviceSummary) -> dict[str, Any]:
    return {
        "device": device.device_code,
        "watermark": _text(device.watermark),
        "files": {str(state): device.files[state] for state in _COUNTED},
        "bytes": {str(state): device.size_bytes[state] for state in _COUNTED},
        "oldest_held_since": _text(device.oldest_held_since),
        "newest_data_at": _text(device.newest_data_at),
    }


def _run(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "flow": run.flow,
        "started_at": _text(run.started_at),
        "finished_at": _text(run.finished_at),
        "state": run.state,
    }


def _text(time: datetime | None) -> str | None:
    return None if time is None else time_text(time)
