from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from onc_mirror.devices import choose_devices, deployed_devices, load_device_table
from onc_mirror.errors import SettingsError, TokenRejectedError
from onc_mirror.layout import check_name
from onc_mirror.model import Device, TimeWindow
from tests.support.opening import open_archive
from tests.support.raw_server import Request, answer, raw_server, unused_url

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = TimeWindow(NOW - timedelta(hours=1), NOW)
NONE = answer(b'{"errors": [{"errorCode": 127, "errorMessage": "none", "parameter": "deviceCode"}]}', status=400)


def deployment(begin: datetime | None, end: datetime | None) -> dict[str, Any]:
    return {
        "begin": begin and begin.isoformat().replace("+00:00", "Z"),
        "end": end and end.isoformat().replace("+00:00", "Z"),
        "deviceCode": "X",
        "locationCode": "STR1",
    }


def deployed(*deployments: dict[str, Any]) -> bytes:
    return answer(json.dumps(deployments).encode())


def by_device(replies: dict[str, bytes]) -> Callable[[Request, socket.socket], None]:
    return lambda request, connection: connection.sendall(replies[request.parameters["deviceCode"]])


IN = deployed(deployment(NOW - timedelta(days=900), None))


def test_shipped_table_has_all_strawb_devices() -> None:
    table = load_device_table()

    assert len(table) == 12
    assert [device.code for device in table if device.deployed] == [
        "TUMPMTSPECTROMETER001",
        "TUMLIDAR001",
        "TUMSTANDARDMODULE001",
        "TUMMINISPECTROMETER001",
        "TUMMUONTRACKER001",
        "TUMSTANDARDMODULE004",
        "TUMPMTSPECTROMETER002",
        "TUMLIDAR002",
        "ONCMJB016",
    ]
    assert all(check_name(device.code) for device in table)
    assert Device("TUMLIDAR001", "STR3", "LIDAR") in table


def test_table_of_ones_own_replaces_it(tmp_path: Path) -> None:
    file = tmp_path / "devices.toml"
    file.write_text('[[device]]\ncode = "NAXYS_HYD_007"\n')

    assert load_device_table(file) == (Device("NAXYS_HYD_007"),)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", r"\[\[device\]\]"),
        ("device = []", r"\[\[device\]\]"),
        ("devices = []", r"\[\[device\]\]"),
        ("device = [3]", "entry 1"),
        ("[[device]]\ncode = \n", "line 2"),
        ("[[device]]", "usable device code in entry 1"),
        ('[[device]]\ncode = "A"\n[[device]]\ncode = "A"', "A more than once"),
        ('[[device]]\ncode = "A"\n[[device]]\ncode = "B"\ndepth = 3', r"'depth' in entry 2 \(B\)"),
        ('[[device]]\ncode = "A"\ndeployed = "yes"', "deployed in entry 1"),
        ("[[device]]\ncode = 7", "code in entry 1"),
        ('[[device]]\ncode = "../A"', "usable device code"),
    ],
)
def test_wrong_table_names_the_file_and_the_entry(text: str, match: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)

    with pytest.raises(SettingsError, match=match) as caught:
        load_device_table(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "folder", "binary"])
def test_table_that_cannot_be_read_is_a_wrong_setting(kind: str, tmp_path: Path) -> None:
    if kind == "folder":
        (tmp_path / "mine.toml").mkdir()
    if kind == "binary":
        (tmp_path / "mine.toml").write_bytes(b"\xff")

    with pytest.raises(SettingsError, match=r"mine\.toml"):
        load_device_table(tmp_path / "mine.toml")


def test_archive_overrules_the_flag_of_the_table_unless_it_names_no_deployment(
    caplog: pytest.LogCaptureFixture,
) -> None:
    replies = {
        "in": IN,
        "out": deployed(deployment(NOW - timedelta(days=900), NOW - timedelta(days=800))),
        "back": deployed(
            deployment(NOW - timedelta(days=900), NOW - timedelta(days=800)),
            deployment(NOW - timedelta(days=9), None),
        ),
        "never": NONE,
        "forgotten": NONE,
        "empty": answer(b"[]"),
        "soon": deployed(deployment(NOW + timedelta(days=9), None)),
        "ended within": deployed(deployment(None, NOW - timedelta(minutes=30))),
    }
    table = [Device(code, deployed=code in {"out", "empty"}) for code in replies]

    with raw_server(by_device(replies)) as server, open_archive(server.url) as archive:
        found = deployed_devices(archive, table, HOUR, {"out", "forgotten"})

    assert [device.code for device in found] == ["in", "back", "forgotten", "empty", "ended within"]
    assert "device=empty deployed=True by=table detail='The archive names no deployment of it.'" in caplog.text
    assert "device=never" not in caplog.text  # table and archive agree: nobody need be warned


def test_table_stands_in_where_the_archive_gives_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    replies = {"in": IN, "wet": answer(status=503), "dry": answer(b"<html>"), "odd": answer(status=403)}
    table = [Device("in"), Device("wet"), Device("dry", deployed=False), Device("odd")]

    with raw_server(by_device(replies)) as server, open_archive(server.url) as archive:
        found = deployed_devices(archive, table, HOUR)

    assert [device.code for device in found] == ["in", "wet", "odd"]
    assert "device=dry deployed=False by=table" in caplog.text
    assert "device=in " not in caplog.text
    assert "device=wet deployed=True by=table" in caplog.text


def test_table_stands_in_while_the_archive_is_down() -> None:
    with open_archive(unused_url()) as archive:
        chosen = choose_devices(archive, load_device_table(), now=NOW)

    assert len(chosen) == 9


def test_rejected_token_is_no_matter_for_the_table() -> None:
    with (
        raw_server(lambda _, connection: connection.sendall(answer(status=401))) as server,
        open_archive(server.url) as archive,
        pytest.raises(TokenRejectedError),
    ):
        choose_devices(archive, load_device_table(), now=NOW)


def test_device_taken_out_lately_still_has_files_coming() -> None:
    replies = {
        "yesterday": deployed(deployment(None, NOW - timedelta(days=1))),
        "long ago": deployed(deployment(None, NOW - timedelta(days=8))),
    }

    with raw_server(by_device(replies)) as server, open_archive(server.url) as archive:
        chosen = choose_devices(archive, [Device(code) for code in replies], now=NOW)

    assert [device.code for device in chosen] == ["yesterday"]


def test_codes_are_taken_as_asked_without_asking_the_archive() -> None:
    with open_archive(unused_url()) as archive:
        chosen = choose_devices(
            archive,
            load_device_table(),
            codes=["TUMSTANDARDMODULE003", "SOMEBODYELSES1", "TUMSTANDARDMODULE003"],
            now=NOW,
        )

    assert [device.code for device in chosen] == ["TUMSTANDARDMODULE003", "SOMEBODYELSES1"]
    assert chosen[0].location == "STR8"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"categories": ["LIDAR"]}, ["TUMLIDAR001", "TUMLIDAR002"]),
        ({"locations": ["STR3", "STR4"]}, ["TUMLIDAR001", "TUMSTANDARDMODULE001"]),
        ({"locations": ["STR3", "STR4"], "categories": ["LIDAR"]}, ["TUMLIDAR001"]),
        ({"codes": ["TUMLIDAR002", "ONCMJB016"], "categories": ["LIDAR"]}, ["TUMLIDAR002"]),
    ],
    ids=["category", "location", "both", "codes too"],
)
def test_filters_narrow_the_table(filters: dict[str, Any], expected: list[str]) -> None:
    with (
        raw_server(lambda _, connection: connection.sendall(IN)) as server,
        open_archive(server.url) as archive,
    ):
        chosen = choose_devices(archive, load_device_table(), **filters, now=NOW)

    assert [device.code for device in chosen] == expected


@pytest.mark.parametrize(
    ("filters", "match"),
    [
        ({"locations": ["NOWHERE"]}, "at NOWHERE.*STR3"),
        ({"categories": ["lidar"]}, "of category lidar.*LIDAR"),
        ({"codes": ["STRANGER"], "locations": ["STR3"]}, "does not know STRANGER"),
    ],
)
def test_filter_that_leaves_nothing_is_a_wrong_setting(filters: dict[str, Any], match: str) -> None:
    with open_archive(unused_url()) as archive, pytest.raises(SettingsError, match=match):
        choose_devices(archive, load_device_table(), **filters, now=NOW)
