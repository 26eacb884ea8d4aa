"""`onc-mirror list`, `devices` and `products`: what the archive has, without downloading."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onc_mirror.browsing import (
    browsing_window,
    device_statuses,
    list_archive_files,
    offered_products,
)
from onc_mirror.cli.options import Choice, choosing, devices_option, json_option
from onc_mirror.cli.tables import Size, print_table
from onc_mirror.devices import choose_devices, load_device_table
from onc_mirror.frames import files_from_frame, write_csv
from onc_mirror.mirror import open_archive
from onc_mirror.settings import ArchiveSettings, load_settings
from onc_mirror.utc import time_text
from onc_mirror.wording import counted, size_text

if TYPE_CHECKING:
    import pandas as pd

    from onc_mirror.browsing import DeviceStatus
    from onc_mirror.model import TimeWindow

_devices = devices_option("Only this device, in the device table or not.", "codes")


@click.command("list")
@choosing
@click.option("--by-data-time", is_flag=True, help="--since and --until mean the time of the data.")
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write a list that 'onc-mirror mirror --files' takes; '-' is stdout.",
)
@json_option
def list_files(choice: Choice, *, by_data_time: bool, csv_path: Path | None, as_json: bool) -> None:
    """List what the archive has, without downloading.

    Of all devices that are in the water, or were in the last 7 days, files of all extensions, archived in the last 24
    hours, unless the options say otherwise. Times are UTC, sizes those of the download.
    """
    if csv_path is not None and as_json:
        raise click.UsageError("--csv and --json exclude each other.")
    now = datetime.now(UTC)
    window = browsing_window(choice.since, choice.until, now=now)
    settings = load_settings(ArchiveSettings)
    with open_archive(settings) as archive:
        table = load_device_table(settings.devices_file)
        chosen = choose_devices(
            archive, table, codes=choice.devices, locations=choice.locations, categories=choice.categories, now=now
        )
        codes = [device.code for device in chosen]
        selection = choice.selection(archive, codes)
        frame = list_archive_files(archive, codes, window=window, by_data_time=by_data_time, selection=selection)
    if frame.empty and choice.products:
        hint = "'onc-mirror products' shows the codes that devices offer."
        click.echo(f"No file is of product {' or '.join(choice.products)}; {hint}", err=True)
    if csv_path is not None:
        _write_csv(frame, csv_path)
    elif as_json:
        click.echo(frame.to_json(orient="records", date_format="iso", indent=2))
    else:
        _print_files(frame, window, by_data_time=by_data_time)


@click.command()
@_devices
@json_option
def devices(codes: tuple[str, ...], *, as_json: bool) -> None:
    """Show the devices of the device table, and which of them the archive says are in the water.

    Runs ask those, and for 7 days more those that were taken out: files reach the archive hours to days after their
    data.
    """
    settings = load_settings(ArchiveSettings)
    table = load_device_table(settings.devices_file)
    with open_archive(settings) as archive:
        statuses = device_statuses(archive, table, codes, now=datetime.now(UTC))
    if as_json:
        click.echo(json.dumps([_device_json(status) for status in statuses], indent=2))
        return
    rows = [
        (
            status.device.code,
            status.device.location,
            status.device.category,
            _by_archive(status),
            status.since,
            _by_table(status),
            status.name,
        )
        for status in statuses
    ]
    columns = ("device", "location", "category", "the archive says", "since", "the table says", "name")
    print_table(counted(len(rows), "device"), columns, rows)


@click.command()
@_devices
@json_option
def products(codes: tuple[str, ...], *, as_json: bool) -> None:
    """Show the data products that devices offer: code, extension, name.

    Without --device, of all devices of the device table. Some products are made on demand and are no archive files.
    """
    settings = load_settings(ArchiveSettings)
    wanted = tuple(dict.fromkeys(codes)) or tuple(device.code for device in load_device_table(settings.devices_file))
    with open_archive(settings) as archive:
        offered = offered_products(archive, wanted)
    columns = ("device", "product", "extension", "name")
    rows = [(code, product.code, product.extension, product.name) for code, product in offered]
    if as_json:
        click.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=2))
    else:
        print_table(counted(len(rows), "data product"), columns, rows)


def _device_json(status: DeviceStatus) -> dict[str, Any]:
    return {
        "device": status.device.code,
        "name": status.name,
        "location": status.device.location,
        "category": status.device.category,
        "deployed": status.deployed,
        "since": None if status.since is None else time_text(status.since),
        "asked_until": None if status.asked_until is None else time_text(status.asked_until),
        "in_table": status.in_table,
        "deployed_by_table": status.device.deployed if status.in_table else None,
    }


def _by_archive(status: DeviceStatus) -> str:
    if status.asked_until is not None:
        return f"taken out, asked until {status.asked_until:%Y-%m-%d}"
    return "in the water" if status.deployed else "not in the water"


def _by_table(status: DeviceStatus) -> str:
    if not status.in_table:
        return "not in the table"
    return "in the water" if status.device.deployed else "not in the water"


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    # Not through sys.stdout, which escapes what it cannot encode: the names must come back as they are.
    target: Path | int = sys.stdout.fileno() if str(path) == "-" else path
    try:
        with open(target, "w", newline="", encoding="utf-8", errors="surrogatepass", closefd=target is path) as out:
            write_csv(frame, out)
    except OSError as error:
        error.filename = error.filename or path  # a full disk does not say whose
        raise
    click.echo(f"{counted(len(frame), 'file')} written to {'stdout' if target is not path else path}.", err=True)


def _print_files(frame: pd.DataFrame, window: TimeWindow, *, by_data_time: bool) -> None:
    files = files_from_frame(frame)
    rows = [
        (
            file.filename,
            file.device_code,
            file.product_code,
            file.begins_at,
            file.archived_at,
            None if file.expected_bytes is None else Size(file.expected_bytes),
        )
        for file in files
    ]
    total = size_text(sum(file.expected_bytes or 0 for file in files))
    what = "with data of" if by_data_time else "archived"
    span = f"{time_text(window.since, 'seconds')} to {time_text(window.until, 'seconds')}"
    title = f"{counted(len(files), 'file')}, {total}, {what} {span}"
    print_table(title, ("file", "device", "product", "data from", "archived", "size"), rows)
