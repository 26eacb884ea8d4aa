"""`onc-mirror status`: where every device stands and which files need attention, from the ledger alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from onc_mirror.cli.options import json_option
from onc_mirror.cli.tables import Size, print_table, print_text
from onc_mirror.ledger import missing_ledger, open_ledger
from onc_mirror.model import State
from onc_mirror.settings import LedgerSettings, load_settings
from onc_mirror.utc import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from onc_mirror.ledger import DeviceSummary, FileRecord, RunRecord

_RUNS = 5
_FILES = 20
_COUNTED = (State.MIRRORED, State.HELD, State.QUARANTINED, State.FILTERED, State.GONE, State.LISTED)
_WAITING = (State.HELD, State.QUARANTINED)


@click.command()
@click.option("--device", "-d", "codes", multiple=True, metavar="CODE", help="Only this device.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([str(state) for state in State]),
    help="Name the files in this state.  [default: held and quarantined]",
)
@click.option("--all", "every", is_flag=True, help=f"Name all of these files, not only the oldest {_FILES}.")
@json_option
def status(*, codes: tuple[str, ...], states: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Show how far the mirror is, from its ledger alone.

    Per device: its watermark, the archive time up to which everything listed is accounted for; its files by state;
    the bytes mirrored; since when the longest-held file is held; the end of the newest mirrored data. Then the files
    that are held or quarantined, and why, those that are it for longest first; the last runs. Needs no token and no
    store, only ONC_MIRROR_LEDGER_URL or ONC_MIRROR_STATE_DIR. Times are UTC. JSON names all files.
    """
    url = load_settings(LedgerSettings).ledger
    missing = missing_ledger(url)
    if missing is not None:
        _print_nothing(f"There is no ledger at {missing}", as_json=as_json)
        return
    wanted = tuple(State(state) for state in dict.fromkeys(states)) or _WAITING
    with open_ledger(url) as ledger:
        devices = [one for one in ledger.summary() if not codes or one.device_code in codes]
        files = ledger.files_in(*wanted, device_codes=codes, limit=None if every or as_json else _FILES)
        runs = ledger.runs(_RUNS)
    if as_json:
        _print_json(devices, files, runs)
    elif not devices and not runs:
        _print_nothing("The ledger is empty", as_json=False)
    else:
        _print_devices(devices, codes)
        _print_files(files, wanted, sum(one.files[state] for one in devices for state in wanted))
        rows = [(one.run_id, one.flow, one.started_at, one.finished_at, one.state) for one in runs]
        print_table("Last runs", ("run", "flow", "began", "ended", "state"), rows)


def _print_nothing(finding: str, *, as_json: bool) -> None:
    if as_json:
        _print_json((), (), ())
    else:
        advice = "If something has, it had another ONC_MIRROR_STATE_DIR or ONC_MIRROR_LEDGER_URL."
        print_text(f"{finding}: nothing has run yet. {advice}")


def _print_json(devices: Iterable[DeviceSummary], files: Iterable[FileRecord], runs: Iterable[RunRecord]) -> None:
    answer = {"devices": map(_device, devices), "files": map(_file, files), "runs": map(_run, runs)}
    click.echo(json.dumps({name: list(rows) for name, rows in answer.items()}, indent=2))


def _print_devices(devices: Sequence[DeviceSummary], codes: Sequence[str]) -> None:
    columns = ("device", "watermark", *map(str, _COUNTED), "size", "oldest held", "newest data")
    print_table("Devices", columns, [_cells(one) for one in devices])
    known = {one.device_code for one in devices}
    for code in codes:
        if code not in known:
            print_text(f"The ledger has nothing of {code}: it was never listed.")


def _print_files(files: Sequence[FileRecord], states: Sequence[State], total: int) -> None:
    what = " and ".join(states).capitalize()
    if not files:
        print_text(f"{what}: no file.")
        return
    title = what if len(files) >= total else f"{what}: the oldest {len(files)} of {total}"
    columns = ("file", "device", "state", "reason", "since", "attempts", "next try", "what happened")
    print_table(title, columns, [_row(one) for one in files])
    if len(files) < total:
        print_text(f"... and {total - len(files)} more: --all names them.")


def _row(file: FileRecord) -> tuple[Any, ...]:
    next_try = file.next_try_at or ("next run" if file.state in {State.HELD, State.LISTED} else None)
    # Details begin with the file they are about, which has a column of its own here.
    detail = file.detail.removeprefix(f"{file.filename}: ")
    return (
        file.filename,
        file.device_code,
        file.state,
        file.reason,
        file.since,
        file.attempts,
        next_try,
        detail,
    )


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


def _file(file: FileRecord) -> dict[str, Any]:
    return {
        "filename": file.filename,
        "device": file.device_code,
        "state": file.state,
        "reason": file.reason,
        "since": _text(file.since),
        "attempts": file.attempts,
        "next_try_at": _text(file.next_try_at),
        "quarantine_key": file.quarantine_key,
        "detail": file.detail,
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
