"""`onc-mirror list`, `devices` and `products`: what the archive has, without downloading."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from onc_mirror.browsing import list_archive_files
from onc_mirror.cli.options import Choice, choosing, json_option
from onc_mirror.cli.tables import print_table, size_text, stdout
from onc_mirror.devices import choose_devices, load_device_table
from onc_mirror.frames import write_csv
from onc_mirror.mirror import open_archive
from onc_mirror.model import TimeWindow
from onc_mirror.settings import load_settings

if TYPE_CHECKING:
    import pandas as pd

    from onc_mirror.archive import Deployment
    from onc_mirror.model import Device

DEFAULT_SPAN = timedelta(days=1)


@click.command("list")
@choosing
@click.option("--by-data-time", is_flag=True, help="--since and --until mean data time, not archive time.")
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write a list that 'onc-mirror mirror --files' takes; '-' is stdout.",
)
@json_option
def list_files(choice: Choice, *, by_data_time: bool, csv_path: Path | None, as_json: bool) -> None:
    """List what the archive has, without downloading. Without --since: what was archived in the last day."""
    settings = load_settings()
    now = datetime.now(UTC)
    until = choice.until or now
    window = TimeWindow(choice.since or until - DEFAULT_SPAN, until)
    with open_archive(settings) as archive:
        devices = choose_devices(
            archive,
            load_device_table(settings.devices_file),
            codes=choice.devices,
            locations=choice.locations,
            categories=choice.categories,
            now=now,
        )
        codes = [device.code for device in devices]
        frame = list_archive_files(
            archive,
            codes,
            archived=None if by_data_time else window,
            data=window if by_data_time else None,
            selection=choice.selection(archive, codes, extensions=()),
        )
    if csv_path is not None:
        _write_csv(frame, csv_path)
    elif as_json:
        click.echo(frame.to_json(orient="records", date_format="iso", indent=2))
    else:
        _print_files(frame)


@click.command()
@json_option
def devices(*, as_json: bool) -> None:
    """Show the device table, and what the archive says about each device's deployment."""
    settings = load_settings()
    with open_archive(settings) as archive:
        table = load_device_table(settings.devices_file)
        rows = [_device_row(device, archive.deployments(device.code)) for device in table]
    _print_rows("Devices", rows, as_json=as_json)


@click.command()
@click.option("--device", "-d", "codes", multiple=True, metavar="CODE", help="Only this device (repeatable).")
@json_option
def products(codes: tuple[str, ...], *, as_json: bool) -> None:
    """Show the data products that devices offer, and in which extensions."""
    settings = load_settings()
    with open_archive(settings) as archive:
        wanted = codes or tuple(device.code for device in load_device_table(settings.devices_file))
        rows: list[dict[str, object]] = [
            {"device": code, "product": product.code, "extension": product.extension, "name": product.name}
            for code in wanted
            for product in archive.products(code)
        ]
    _print_rows("Data products", rows, as_json=as_json)


def _device_row(device: Device, deployments: tuple[Deployment, ...]) -> dict[str, object]:
    present = [deployment for deployment in deployments if deployment.ends_at is None]
    begins = [deployment.begins_at for deployment in present if deployment.begins_at is not None]
    return {
        "device": device.code,
        "location": device.location,
        "category": device.category,
        "deployed": bool(present),
        "deployed since": max(begins, default=None),
        "in the table": "deployed" if device.deployed else "not deployed",
    }


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    if str(path) == "-":
        write_csv(frame, sys.stdout)
        return
    with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as out:
        write_csv(frame, out)
    click.echo(f"{len(frame)} files written to {path}.", err=True)


def _print_files(frame: pd.DataFrame) -> None:
    columns = ("device_code", "filename", "product_code", "begins_at", "archived_at", "expected_bytes")
    rows = frame[list(columns)].astype(object).where(frame[list(columns)].notna(), None).to_numpy().tolist()
    total = int(frame["expected_bytes"].sum())
    print_table(
        f"{len(frame)} files, {size_text(total)}",
        ("device", "filename", "product", "data from", "archived", "bytes"),
        rows,
        console=stdout(),
    )


def _print_rows(title: str, rows: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=2, default=str))
    elif rows:
        print_table(title, list(rows[0]), [list(row.values()) for row in rows], console=stdout())
    else:
        click.echo("Nothing to show.")
