"""`onc-mirror status`: where every device stands and which files need attention, from the ledger alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from onc_mirror.cli.file_tables import MOST, file_json, print_files
from onc_mirror.cli.options import devices_option, json_option
from onc_mirror.cli.tables import Size, print_table, print_text
from onc_mirror.devices import load_device_table
from onc_mirror.errors import SettingsError
from onc_mirror.ledger import NOTHING_RAN, NoLedgerError, open_ledger
from onc_mirror.model import State
from onc_mirror.settings import LedgerSettings, TableSettings, load_settings
from onc_mirror.utc import text_or_none
from onc_mirror.wording import some_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onc_mirror.ledger import DeviceSummary, FileRecord, RunRecord

_RUNS = 5
_COUNTED = (State.MIRRORED, State.HELD, State.QUARANTINED, State.FILTERED, State.GONE, State.LISTED)
_WAITING = (State.HELD, State.QUARANTINED)
_COLUMNS = {
    "file": "filename",
    "device": "device",
    "state": "state",
    "reason": "reason",
    "since": "since",
    "attempts": "attempts",
    "next try": "next_try",
    "what happened": "detail",
}


@click.command()
@devices_option("Only this device.", "codes")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([str(state) for state in State]),
    help="Name the files in this state.  [default: held and quarantined]",
)
@click.option("--all", "every", is_flag=True, help=f"Name all of these files, not only the oldest {MOST}.")
@json_option
def status(*, codes: tuple[str, ...], states: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Show how far the mirror is, from its ledger alone.

    Per device: its watermark, the archive time up to which everything listed is accounted for; its files by state;
    the bytes mirrored; since when the longest-held file is held; the end of the newest mirrored data. Then the files
    that are held or quarantined, and why, longest in that state first; devices whose listings are not
    believed; the last runs, which of them were killed, and why others failed. Needs no token and no
    store, only ONC_MIRROR_LEDGER_URL or ONC_MIRROR_STATE_DIR. Times are UTC. JSON names all files. A device that
    neither the ledger nor the device table knows is refused.
    """
    settings = load_settings(LedgerSettings)
    wanted = tuple(State(state) for state in dict.fromkeys(states)) or _WAITING
    try:
        opened = open_ledger(settings.ledger, variable=settings.ledger_variable, create=False)
    except NoLedgerError as error:
        _print_nothing(str(error), as_json=as_json)
        return
    with opened as ledger:
        devices = [one for one in ledger.summary() if not codes or one.device_code in codes]
        files = ledger.files_in(*wanted, device_codes=codes, limit=None if every or as_json else MOST)
        runs = ledger.runs(_RUNS)
    _refuse_unknown(set(codes) - {one.device_code for one in devices})
    if as_json:
        _print_json(devices, files, runs)
    elif not devices and not runs:
        print_text(f"The ledger is empty: {NOTHING_RAN}")
    else:
        _print_devices(devices, codes)
        total = sum(one.files[state] for one in devices for state in wanted)
        print_files(" and ".join(wanted).capitalize(), files, total, _COLUMNS)
        now = datetime.now(UTC)
        rows = [
            (one.run_id, one.flow, one.started_at, one.finished_at, one.state_at(now), one.reason) for one in runs
        ]
        print_table("Last runs", ("run", "flow", "began", "ended", "state", "reason"), rows)


def _refuse_unknown(unlisted: set[str]) -> None:
    if not unlisted:
        return
    table = {device.code for device in load_device_table(load_settings(TableSettings).devices_file)}
    if unknown := sorted(unlisted - table):
        raise SettingsError(
            f"Neither the ledger nor the device table has {some_of(unknown)}: 'onc-mirror devices' shows the table."
        )


def _print_nothing(finding: str, *, as_json: bool) -> None:
    if as_json:
        _print_json((), (), ())
    else:
        print_text(finding)


def _print_json(devices: Iterable[DeviceSummary], files: Iterable[FileRecord], runs: Iterable[RunRecord]) -> None:
    answer = {"devices": map(_device, devices), "files": map(file_json, files), "runs": map(_run, runs)}
    click.echo(json.dumps({name: list(rows) for name, rows in answer.items()}, indent=2))


def _print_devices(devices: Sequence[DeviceSummary], codes: Sequence[str]) -> None:
    columns = ("device", "watermark", *map(str, _COUNTED), "size", "oldest held", "newest data")
    print_table("Devices", columns, [_cells(one) for one in devices])
    doubted = [(one.device_code, one.suspicious_since, one.suspicion) for one in devices if one.suspicion is not None]
    if doubted:
        print_table("Listings that are not believed", ("device", "since", "why"), doubted)
    known = {one.device_code for one in devices}
    for code in codes:
        if code not in known:
            print_text(f"The ledger has nothing of {code}: it was never listed.")


def _cells(device: DeviceSummary) -> list[Any]:
    return [
        device.device_code,
        device.watermark or (None if sum(device.files.values()) else "not listed yet"),
        *(device.files[state] for state in _COUNTED),
        Size(device.size_bytes[State.MIRRORED]),
        device.oldest_held_since,
        device.newest_data_at,
    ]


def _device(device: DeviceSummary) -> dict[str, Any]:
    return {
        "device": device.device_code,
        "watermark": text_or_none(device.watermark),
        "files": {str(state): device.files[state] for state in _COUNTED},
        "bytes": {str(state): device.size_bytes[state] for state in _COUNTED},
        "oldest_held_since": text_or_none(device.oldest_held_since),
        "newest_data_at": text_or_none(device.newest_data_at),
        "suspicion": device.suspicion,
        "suspicious_since": text_or_none(device.suspicious_since),
    }


def _run(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "flow": run.flow,
        "started_at": text_or_none(run.started_at),
        "finished_at": text_or_none(run.finished_at),
        "state": run.state_at(datetime.now(UTC)),
        "reason": run.reason,
    }
