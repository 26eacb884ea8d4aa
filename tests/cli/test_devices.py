"""`onc-mirror devices` and `products`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.sandbox.archive.faults import Kind
from onc_mirror.devices import load_device_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.archive import RunningArchive
    from tests.support.console import Answer, Console

LIDAR = "TUMLIDAR001"


def test_devices_of_the_table_with_what_the_archive_says(console: Console) -> None:
    answer = console.run("devices", "--json", ONC_MIRROR_STORE_URL=None)

    devices = {row["device"]: row for row in answer.json}
    assert list(devices) == [device.code for device in load_device_table()]
    assert devices[LIDAR] == {
        "device": LIDAR,
        "name": "TUM LiDAR 001 (168 mab)",
        "location": "STR3",
        "category": "LIDAR",
        "deployed": True,
        "since": "2020-09-25T00:00:00Z",
        "asked_until": None,
        "in_table": True,
        "deployed_by_table": True,
    }
    assert not devices["TUMSTANDARDMODULE002"]["deployed"]


def test_a_device_outside_the_table_is_looked_up(console: Console, in_process: Callable[..., Answer]) -> None:
    table = console.folder / "devices.toml"
    table.write_text(f'[[device]]\ncode = "{LIDAR}"\n', encoding="utf-8")
    variables = {"ONC_MIRROR_DEVICES_FILE": str(table)}

    devices = in_process("devices", "-d", LIDAR, "-d", "TUMLIDAR002", **variables)
    products = in_process("products", "-d", "TUMLIDAR002", "--json", **variables)

    assert devices.code == 0
    assert any(
        line.startswith("TUMLIDAR002  STR10") and "not in the table" in line for line in devices.out.splitlines()
    )
    assert {"device": "TUMLIDAR002", "product": "SMRD", "extension": "hdf5", "name": "Standard Module Raw Data"} in (
        products.json
    )


def test_products_of_a_device_are_a_table_of_code_extension_and_name(console: Console) -> None:
    answer = console.run("products", "-d", LIDAR)

    title, heading, _, *rows, _ = answer.out.splitlines()
    assert title == "7 data products"
    assert heading.split() == ["device", "product", "extension", "name"]
    assert f"{LIDAR}  LF        txt        Log File" in rows


def test_a_device_that_nobody_knows_is_an_error_and_no_empty_table(in_process: Callable[..., Answer]) -> None:
    for command in ("devices", "products", "list"):
        answer = in_process(command, "-d", "TUMLIDAR999")

        assert (answer.code, answer.out) == (1, "")
        assert answer.err.startswith("onc-mirror: TUMLIDAR999: The archive does not know this device")


def test_an_archive_in_trouble_is_one_line(in_process: Callable[..., Answer], archive: RunningArchive) -> None:
    archive.fault(Kind.UNAVAILABLE)

    answer = in_process("devices", "-d", LIDAR)

    assert (answer.code, answer.out) == (1, "")
    assert len(answer.err.splitlines()) == 1
    assert "HTTP 503" in answer.err
