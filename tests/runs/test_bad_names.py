"""Rows that no client should trust, in whole runs: each has its reason, none has a key, all are in the numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.faults import Kind
from infra.sandbox.archive.hostile import HOSTILE_ROWS
from onc_mirror.layout import MAX_NAME_BYTES
from tests.support.mirrors import bench

if TYPE_CHECKING:
    from pathlib import Path

    from onc_mirror.report.document import RunReport
    from tests.support.archive import RunningArchive
    from tests.support.mirrors import Bench

DEVICE = "TUMSTANDARDMODULE001"
OTHER = "TUMLIDAR001"
WHOLE = {**HOSTILE_ROWS[0], "deviceCode": DEVICE}
BEGIN = f"{DEVICE}_20220501T000000.000Z"
LONG = f"{BEGIN}-{'x' * (MAX_NAME_BYTES - len(BEGIN) - 5)}.hdf5"

NAMES = {
    "separator": f"{BEGIN}-a/b.hdf5",
    "absolute": "/etc/passwd",
    "backslashes": "..\\..\\escaped.hdf5",
    "upwards": "../../../../tmp/onc-mirror-escaped.hdf5",
    "dots inside": f"{BEGIN}..hdf5",
    "dot": ".",
    "nothing": "",
    "NUL": f"{BEGIN}\x00.hdf5",
    "line": f"{BEGIN}\nInjected-Header: yes.hdf5",
    "escape": f"{BEGIN}\x1b[2J.hdf5",
    "right to left": f"{BEGIN}\u202e5fdh.hdf5",
    "half a surrogate pair": f"{BEGIN}\ud800.hdf5",
    "too long by a byte": LONG,
    "far too long": "a" * 5000 + ".hdf5",
    "blank at the end": f"{BEGIN}.hdf5 ",
}


@pytest.fixture
def mirror(archive: RunningArchive, tmp_path: Path, ledger_url: str) -> Bench:
    """A mirror with its ledger in each of the databases."""
    return bench(archive, tmp_path, ledger_url=ledger_url, stall_timeout_s=30.0, retry_delays_s=())


def list_too(mirror: Bench, *rows: dict[str, Any], device: str = DEVICE) -> int:
    return mirror.archive.fault(Kind.EXTRA_ROWS, device=device, endpoint="device", rows=rows)


def reasons(report: RunReport) -> dict[str, tuple[str, str]]:
    return {file.filename: (str(file.decision), file.reason) for file in report.attention}


def assert_nothing_escaped(mirror: Bench, device: str = DEVICE) -> None:
    assert all(key.startswith((f"raw/{device}/2022/05/02/", "reports/mirror-hour/")) for key in mirror.objects())


def test_every_bad_name_is_refused_for_its_own_reason_and_counted(mirror: Bench) -> None:
    assert len(LONG.encode()) == MAX_NAME_BYTES + 1
    list_too(mirror, *({**WHOLE, "filename": name} for name in NAMES.values()))

    report = mirror.run(devices=(DEVICE,))

    assert reasons(report) == dict.fromkeys(NAMES.values(), ("quarantined", "bad-name"))
    assert all(file.detail for file in report.attention)
    assert (report.mirrored, report.quarantined, report.exit_code) == (2, len(NAMES), 3)
    states = mirror.ledger_states(DEVICE)
    assert {states[name] for name in NAMES.values()} == {("quarantined", "bad-name")}
    assert_nothing_escaped(mirror)
    assert not {served.filename for served in mirror.archive.requests_for("download")} & set(NAMES.values())
    mirror.assert_promises_hold(report)


def test_bad_names_keep_no_watermark_back_and_are_looked_at_anew_by_every_listing(mirror: Bench) -> None:
    list_too(mirror, *({**WHOLE, "filename": name} for name in NAMES.values()))
    mirror.run(devices=(DEVICE,))
    before = mirror.objects("raw/")
    mirror.turn(mirror.now + timedelta(minutes=10))

    report = mirror.run(devices=(DEVICE,))

    with mirror.open() as parts:
        assert parts.ledger.watermark(DEVICE) == mirror.now
    assert report.quarantined == len(NAMES)
    assert mirror.objects("raw/") == before
    mirror.assert_promises_hold(report)


def test_a_name_that_tells_no_time_in_a_row_that_tells_none_has_no_key(mirror: Bench) -> None:
    timeless = {**WHOLE, "filename": "notes.hdf5", "dateFrom": None, "dateTo": None}
    no_day = {**timeless, "filename": f"{DEVICE}_20229999T000000.000Z.hdf5", "dateFrom": "soon"}
    list_too(mirror, timeless, no_day)

    report = mirror.run(devices=(DEVICE,))

    assert reasons(report) == dict.fromkeys(("notes.hdf5", no_day["filename"]), ("quarantined", "bad-name"))
    assert all("when the data begin" in file.detail for file in report.attention)
    assert_nothing_escaped(mirror)
    mirror.assert_promises_hold(report)


def test_a_file_of_another_device_than_was_asked_for_is_refused_and_fetched_where_it_belongs(mirror: Bench) -> None:
    stray = mirror.archive.row(f"{OTHER}_20220502T110000.000Z-SDAQ-MODULE.hdf5")
    name = stray["filename"]
    hostile = {**WHOLE, "filename": f"{BEGIN}-HOSTILE.hdf5", "deviceCode": "../TUMLIDAR001"}
    list_too(mirror, dict(stray), hostile)

    report = mirror.run(devices=(DEVICE,))

    assert reasons(report) == dict.fromkeys((name, hostile["filename"]), ("quarantined", "wrong-device"))
    assert_nothing_escaped(mirror)
    mirror.run(devices=(OTHER,))
    assert mirror.ledger_states(OTHER)[name] == ("mirrored", "")
    assert f"raw/{OTHER}/2022/05/02/{name}" in mirror.objects()


def test_differing_rows_for_a_name_are_one_file_as_the_archive_touched_it_last(mirror: Bench) -> None:
    true = mirror.archive.row(f"{DEVICE}_20220502T110000.000Z-SDAQ-MODULE.hdf5")
    older = {**true, "fileSize": 7, "uncompressedFileSize": 7, "modifyDate": "2001-01-01T00:00:00.000Z"}
    older["archivedDate"] = "2001-01-01T00:00:00.000Z"
    list_too(mirror, older, dict(true), older)

    report = mirror.run(devices=(DEVICE,))

    assert (report.listed, report.mirrored, report.exit_code) == (4, 2, 0)
    mirror.assert_promises_hold(report)


def test_the_whole_hostile_set_costs_no_good_file_and_no_device_its_run(mirror: Bench) -> None:
    list_too(mirror, *(dict(row) for row in HOSTILE_ROWS))

    report = mirror.run(devices=(DEVICE, OTHER))

    assert not report.errors
    assert report.mirrored > 2
    assert {end for end in reasons(report).values() if end[0] == "quarantined"} == {
        ("quarantined", "bad-name"),
        ("quarantined", "wrong-device"),
    }
    keys = [key for key in mirror.objects() if not key.startswith("reports/")]
    assert all(key.startswith((f"raw/{DEVICE}/2022/05/02/", f"raw/{OTHER}/2022/05/02/")) for key in keys)
