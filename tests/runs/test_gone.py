"""What is called gone is gone: nothing else makes a file so, however little the archive says at a moment."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.config import ArchiveConfig
from infra.sandbox.archive.faults import Kind
from onc_mirror.frames import files_from_frame, read_csv
from onc_mirror.hour import mirror_hour
from onc_mirror.model import TimeWindow
from onc_mirror.run.gathering import MirrorRequest
from onc_mirror.transfer.batch import NoWatcher
from tests.support.archive import running_archive
from tests.support.mirrors import DEVICE, NOON, VICTIM, Bench, bench

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from onc_mirror.model import ArchiveFile
    from tests.support.archive import RunningArchive

HOUR = timedelta(hours=1)


class EmptyingArchive(NoWatcher):
    """Lets the archive list nothing from the moment at which the transfers begin."""

    def __init__(self, archive: RunningArchive) -> None:
        self._archive = archive

    def planned(self, files: int, size_bytes: int) -> None:
        assert files
        assert size_bytes
        self._archive.fault(Kind.EMPTY_LISTING)


@pytest.fixture
def young_mirror(templates: Path, tmp_path: Path) -> Iterator[Bench]:
    """A mirror of an archive that can list all it has in a moment."""
    with running_archive(templates, ArchiveConfig(data_start=NOON - 24 * HOUR)) as archive:
        yield bench(archive, tmp_path)


def listed_lately(mirror: Bench) -> Sequence[ArchiveFile]:
    """What the archive lists of the last hour, as the next run lists it again."""
    with mirror.open() as parts:
        return parts.archive.list_files(DEVICE, archived=TimeWindow(mirror.now - HOUR, mirror.now)).files


def states(mirror: Bench) -> Counter[str]:
    return Counter(state for state, _ in mirror.ledger_states(DEVICE).values())


def test_files_that_are_neither_handed_out_nor_listed_for_a_moment_are_held(lone_mirror: Bench) -> None:
    lone_mirror.archive.fault(Kind.NOT_READY, filename="*", endpoint="download")
    with lone_mirror.open() as parts:
        report = mirror_hour(parts, MirrorRequest(devices=(DEVICE,)), EmptyingArchive(lone_mirror.archive))

    assert (report.exit_code, report.held, report.gone) == (3, 10, 0)
    assert {file.reason for file in report.files if file.decision == "held"} == {"not-ready"}
    lone_mirror.archive.faults.clear()
    lone_mirror.turn(lone_mirror.now + 3 * HOUR)
    later = lone_mirror.run(devices=(DEVICE,))
    assert (later.exit_code, later.gone) == (0, 0)
    assert set(states(lone_mirror)) == {"mirrored", "filtered"}
    lone_mirror.assert_promises_hold(later)


@pytest.mark.parametrize("kind", [Kind.NOT_READY, None])
def test_a_file_with_data_of_the_future_is_listed_like_any_other(lone_mirror: Bench, kind: Kind | None) -> None:
    dates = {"dateFrom": "2099-01-01T00:00:00.000Z", "dateTo": "2099-01-01T01:00:00.000Z"}
    lone_mirror.archive.fault(Kind.CHANGED_ROWS, filename=VICTIM, changes=dates)
    if kind is not None:
        lone_mirror.archive.fault(kind, filename=VICTIM)

    report = lone_mirror.run(devices=(DEVICE,))

    assert report.gone == 0
    assert lone_mirror.ledger_states(DEVICE)[VICTIM][0] == ("held" if kind else "mirrored")


def test_no_file_of_a_list_is_gone_since_nothing_is_listed(lone_mirror: Bench) -> None:
    lone_mirror.run(devices=(DEVICE,))
    files, before = listed_lately(lone_mirror), states(lone_mirror)
    lone_mirror.archive.fault(Kind.EMPTY_LISTING, device=DEVICE)

    report = lone_mirror.run(only=tuple(files))

    assert (report.exit_code, report.gone) == (1, 0)
    assert [(error.device, error.reason) for error in report.errors] == [(DEVICE, "suspicious-listing")]
    assert states(lone_mirror) == before


def test_no_file_of_a_list_is_gone_since_its_list_has_another_date(lone_mirror: Bench, tmp_path: Path) -> None:
    lone_mirror.run(devices=(DEVICE,))
    path = tmp_path / "list.csv"
    path.write_text(f"device_code,filename,begins_at\n{DEVICE},{VICTIM},2021-01-01T00:00:00Z\n", encoding="utf-8")

    report = lone_mirror.run(only=files_from_frame(read_csv(path)))

    assert (report.exit_code, report.listed, report.already) == (0, 1, 1)
    assert lone_mirror.ledger_states(DEVICE)[VICTIM][0] == "mirrored"


def test_a_list_of_bare_names_says_that_everything_is_listed(
    lone_mirror: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"device_code,filename\n{DEVICE},no-such.hdf5\n", encoding="utf-8")
    lone_mirror.archive.fault(Kind.EMPTY_LISTING, device=DEVICE)

    lone_mirror.run(only=files_from_frame(read_csv(path)))

    assert "of no-such.hdf5 nobody knows when. So everything that the device ever sent is listed" in caplog.text


@pytest.mark.parametrize("date", ["9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"])
def test_a_list_may_have_any_date(young_mirror: Bench, tmp_path: Path, date: str) -> None:
    path = tmp_path / "list.csv"
    row = f"{DEVICE},{VICTIM},{date},9999-12-31T23:59:59.999999Z"
    path.write_text(f"device_code,filename,begins_at,ends_at\n{row}\n", encoding="utf-8")

    report = young_mirror.run(only=files_from_frame(read_csv(path)))

    assert (report.exit_code, report.mirrored) == (0, 1)


@pytest.mark.parametrize("as_list", [False, True], ids=["hour", "list"])
def test_files_that_vanish_beside_others_are_gone_in_the_next_run(lone_mirror: Bench, *, as_list: bool) -> None:
    lone_mirror.run(devices=(DEVICE,))
    files = listed_lately(lone_mirror)
    vanished = {file.filename for file in files[:3]}
    lone_mirror.turn(lone_mirror.now + timedelta(minutes=5))
    for name in vanished:
        lone_mirror.archive.fault(Kind.VANISHED, filename=name)

    report = lone_mirror.run(only=tuple(files)) if as_list else lone_mirror.run(devices=(DEVICE,))

    assert 3 == len(vanished) >= (len(files) - 3) / 4
    assert (report.exit_code, report.gone) == (0, len(vanished))
    assert {name for name, (state, _) in lone_mirror.ledger_states(DEVICE).items() if state == "gone"} == vanished
    lone_mirror.turn(lone_mirror.now + HOUR)
    assert lone_mirror.run(devices=(DEVICE,)).exit_code == 0


def test_a_device_that_the_archive_names_no_more_is_not_dropped_without_a_word(
    lone_mirror: Bench, tmp_path: Path
) -> None:
    table = tmp_path / "devices.toml"
    other = "TUMSTANDARDMODULE001"
    entries = (f'[[device]]\ncode = "{code}"\ndeployed = false\n' for code in (DEVICE, other))
    table.write_text("".join(entries), encoding="utf-8")
    lone_mirror.settings = lone_mirror.settings.model_copy(update={"devices_file": table})
    assert set(lone_mirror.run().devices) == {DEVICE, other}

    config = ArchiveConfig(token=lone_mirror.archive.token, devices=(other,))
    with running_archive(tmp_path / "forgetful", config) as forgetful:
        forgetful.set_clock(lone_mirror.now)
        lone_mirror.settings = lone_mirror.settings.model_copy(update={"archive_url": forgetful.url})
        report = lone_mirror.run()

    assert [(error.device, error.reason) for error in report.errors] == [(DEVICE, "unknown-device")]
    assert report.exit_code == 1


@pytest.mark.parametrize("beside", [True, False])
def test_a_file_that_is_neither_handed_out_nor_listed_is_asked_for_once_in_a_run(
    lone_mirror: Bench, *, beside: bool
) -> None:
    if beside:
        lone_mirror.archive.fault(Kind.GONE_BETWEEN, filename=VICTIM)
        report = lone_mirror.run(devices=(DEVICE,))
    else:
        lone_mirror.archive.fault(Kind.NOT_READY, filename=VICTIM, endpoint="download")
        with lone_mirror.open() as parts:
            report = mirror_hour(parts, MirrorRequest(devices=(DEVICE,)), EmptyingArchive(lone_mirror.archive))

    assert lone_mirror.ledger_states(DEVICE)[VICTIM][0] == ("gone" if beside else "held")
    assert report.mirrored == 9
    assert len(lone_mirror.archive.requests_for("download", filename=VICTIM)) == 1
