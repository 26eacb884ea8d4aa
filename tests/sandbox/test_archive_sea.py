"""Which files exist, and that it does not change."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.config import ArchiveConfig
from infra.sandbox.archive.sea import Sea, Span, Wanted
from infra.sandbox.archive.times import to_ms
from tests.support.archive import running_archive

if TYPE_CHECKING:
    from pathlib import Path

NOW = to_ms(datetime(2022, 6, 2, tzinfo=UTC))
DEPLOYED = (
    "TUMLIDAR001", "TUMLIDAR002", "TUMMINISPECTROMETER001", "TUMMUONTRACKER001", "TUMPMTSPECTROMETER001",
    "TUMPMTSPECTROMETER002", "TUMSTANDARDMODULE001", "TUMSTANDARDMODULE004", "ONCMJB016", "UMAINZWOM001",
)  # fmt: skip


def _day(year: int, month: int, day: int) -> Wanted:
    begin = datetime(year, month, day, tzinfo=UTC)
    return Wanted(Span(to_ms(begin), to_ms(begin + timedelta(days=1))))


def _names(device: str, wanted: Wanted, **settings: Any) -> list[str]:
    return [file.name for file in Sea(ArchiveConfig(**settings)).files(device, wanted, NOW)]


@pytest.mark.parametrize("device", DEPLOYED)
def test_any_hour_has_files_of_every_deployed_device(device: str) -> None:
    hour = Wanted(Span(to_ms(datetime(2021, 7, 12, 5, tzinfo=UTC)), to_ms(datetime(2021, 7, 12, 6, tzinfo=UTC))))

    names = _names(device, hour)

    assert names
    assert all(name.startswith(f"{device}_20210712T05") for name in names)


@pytest.mark.parametrize("cadence", ["hourly", "real"])
@pytest.mark.parametrize("device", DEPLOYED)
def test_every_file_is_found_by_its_name_and_names_are_unique(device: str, cadence: Any) -> None:
    sea = Sea(ArchiveConfig(cadence=cadence))
    files = sea.files(device, _day(2022, 5, 1), NOW)

    assert files
    assert len({file.name for file in files}) == len(files)
    assert [sea.named(file.name) for file in files] == files


def test_the_real_cadence_is_hourly_daily_and_odd() -> None:
    names = _names("TUMPMTSPECTROMETER001", _day(2021, 7, 12), cadence="real")

    def count(tail: str) -> int:
        return sum(name.endswith(tail) for name in names)

    assert count("-SDAQ-CAMERA.hdf5") == 24
    assert count("-SDAQ-PMTSPEC.hdf5") >= 24
    assert count("-SDAQ-MODULE.hdf5") == count("-SDAQ-MINISPEC.hdf5") == 1
    assert any("000.000Z" not in name for name in names)


def test_single_spectra_made_very_many_files_before_april_2021() -> None:
    before = _names("TUMMINISPECTROMETER001", _day(2021, 3, 31), cadence="real")
    after = _names("TUMMINISPECTROMETER001", _day(2021, 4, 1), cadence="real")

    assert sum(name.endswith("-SDAQ-MINISPEC.hdf5") for name in before) == 144
    assert sum(name.endswith("-SDAQ-MINISPEC.hdf5") for name in after) == 1


def test_scans_come_on_some_days_and_last_minutes() -> None:
    sea = Sea(ArchiveConfig(cadence="real"))
    month = Wanted(Span(to_ms(datetime(2022, 3, 1, tzinfo=UTC)), to_ms(datetime(2022, 4, 1, tzinfo=UTC))))

    scans = [file for file in sea.files("TUMPMTSPECTROMETER001", month, NOW) if file.line.stream.extra]

    assert 3 < len(scans) < 25
    assert all(file.end - file.begin <= 20 * 60_000 for file in scans)


def test_nothing_is_older_than_the_data_start() -> None:
    files = Sea(ArchiveConfig()).files("TUMLIDAR001", _day(2020, 9, 30), NOW)
    first = Sea(ArchiveConfig()).files("TUMLIDAR001", _day(2020, 10, 1), NOW)

    assert files == []
    assert first[0].name == "TUMLIDAR001_20201001T000000.000Z.txt"


def test_an_ended_deployment_and_a_silent_device_have_no_new_files() -> None:
    until = datetime(2022, 5, 1, 6, tzinfo=UTC)

    assert _names("TUMSTANDARDMODULE003", _day(2021, 3, 30))
    assert _names("TUMSTANDARDMODULE003", _day(2021, 4, 1)) == []
    for setting in ("ended", "silent"):
        names = _names("TUMSTANDARDMODULE001", _day(2022, 5, 1), **{setting: {"TUMSTANDARDMODULE001": until}})
        assert len(names) == 2 * 6


def test_another_seed_is_another_archive() -> None:
    wanted = _day(2022, 5, 1)
    archived = [
        [file.archived for file in Sea(ArchiveConfig(seed=seed)).files("ONCMJB016", wanted, NOW)]
        for seed in (0, 0, 1)
    ]

    assert archived[0] == archived[1] != archived[2]


def test_a_restart_gives_identical_rows_and_bytes(tmp_path: Path) -> None:
    seen = []
    for folder in ("state", "state", "elsewhere"):
        with running_archive(tmp_path / folder) as archive:
            archive.set_clock(datetime(2022, 5, 2, 12, tzinfo=UTC))
            rows = archive.rows("TUMSTANDARDMODULE001", data=_day(2022, 5, 1).data)
            seen.append([(row, archive.true_bytes(row["filename"])) for row in rows])

    assert seen[0]
    assert seen[0] == seen[1] == seen[2]


def test_a_month_of_a_device_is_listed_within_two_seconds(templates: Path) -> None:
    with running_archive(templates) as archive:
        archive.set_clock(datetime(2022, 6, 2, tzinfo=UTC))
        began = time.thread_time()
        rows = archive.rows(
            "TUMPMTSPECTROMETER001",
            data=Span(to_ms(datetime(2022, 5, 1, tzinfo=UTC)), to_ms(datetime(2022, 6, 1, tzinfo=UTC))),
        )
        took = time.thread_time() - began

    assert len(rows) == 31 * 24 * 8
    assert took < 2
