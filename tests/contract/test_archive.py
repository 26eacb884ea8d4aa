"""What holds for every archive: the one of ONC, here its stand-in over HTTP, and the one in memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.sandbox.archive.faults import Kind
from infra.sandbox.archive.sea import Span
from onc_mirror.archive.rows import parse_time
from onc_mirror.errors import (
    ArchiveBusyError,
    NotReadyError,
    TokenRejectedError,
    UnknownDeviceError,
)
from onc_mirror.model import TimeWindow
from onc_mirror.transfer.downloading import download
from tests.support.archive_troubles import OF_DOWNLOADS, OF_LISTINGS
from tests.support.memory_archive import MemoryArchive
from tests.support.opening import open_archive
from tests.support.secrecy import everything_printed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from onc_mirror.archive import Archive
    from onc_mirror.errors import MirrorError
    from onc_mirror.model import ArchiveFile
    from tests.support.archive import RunningArchive

DEVICE = "TUMPMTSPECTROMETER001"
NOON = datetime(2022, 5, 2, 12, tzinfo=UTC)
HOURS = timedelta(hours=3)
RECENT = TimeWindow(NOON - HOURS, NOON)
INSTANT = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Subject:
    """An archive with the rows of `DEVICE` that were archived in the last hours before `NOON`, and a grip on it.

    Attributes:
        archive: As the mirror sees it.
        inside: As the test sees it.
        rows: What it has.
        bodies: The bytes of each file.
    """

    archive: Archive
    inside: RunningArchive | MemoryArchive
    rows: tuple[dict[str, Any], ...]
    bodies: dict[str, bytes]

    def vanish(self, filename: str) -> None:
        if isinstance(self.inside, MemoryArchive):
            self.inside.vanish(filename)
        else:
            self.inside.fault(Kind.VANISHED, filename=filename)

    def archived_in(self, window: TimeWindow) -> set[str]:
        """Names of the files that were archived in a half-open window."""
        times = {row["filename"]: parse_time(row["archivedDate"]) for row in self.rows}
        return {name for name, time in times.items() if time is not None and window.since <= time < window.until}


@pytest.fixture(scope="module")
def kept(one_archive: RunningArchive) -> tuple[tuple[dict[str, Any], ...], dict[str, bytes]]:
    """The rows, and the bytes of each file: what takes the stand-in long to make."""
    one_archive.set_clock(NOON)
    since, until = (int(time.timestamp() * 1000) for time in (RECENT.since, RECENT.until))
    rows = tuple(one_archive.rows(DEVICE, archived=Span(since, until)))
    return rows, {row["filename"]: one_archive.true_bytes(row["filename"]) for row in rows}


@pytest.fixture(params=["onc", "memory"])
def subject(
    request: pytest.FixtureRequest,
    archive: RunningArchive,
    kept: tuple[tuple[dict[str, Any], ...], dict[str, bytes]],
) -> Iterator[Subject]:
    archive.set_clock(NOON)
    rows, bodies = kept
    if request.param == "memory":
        memory = MemoryArchive([DEVICE], clock=lambda: NOON)
        for row in rows:
            memory.take_in(row, bodies[row["filename"]])
        yield Subject(memory, memory, rows, bodies)
        return
    # A stall is reached soon, and never by a busy machine that is no test of one.
    patience_s = 1.0 if request.node.callspec.params.get("kind") is Kind.STALL else 60.0
    with open_archive(archive.url, token=archive.token, stall_timeout_s=patience_s) as client:
        yield Subject(client, archive, rows, bodies)


def names(files: tuple[ArchiveFile, ...]) -> list[str]:
    return [file.filename for file in files]


def some_file(subject: Subject) -> ArchiveFile:
    return subject.archive.list_files(DEVICE, archived=RECENT, extension="hdf5").files[1]


def test_rows_come_word_for_word_in_the_order_of_their_data(subject: Subject) -> None:
    listing = subject.archive.list_files(DEVICE, archived=RECENT)

    assert [file.row for file in listing.files] == list(subject.rows)
    assert (listing.device_code, listing.window, listing.duplicates) == (DEVICE, RECENT, 0)
    assert len(listing.files) > 10


def test_window_of_archive_time_has_its_begin_and_not_its_end(subject: Subject) -> None:
    file = some_file(subject)
    at = file.archived_at
    assert at is not None

    assert file.filename in names(subject.archive.list_files(DEVICE, archived=TimeWindow(at, at + INSTANT)).files)
    assert file.filename not in names(subject.archive.list_files(DEVICE, archived=TimeWindow(at - HOURS, at)).files)


moments = st.integers(0, 3 * 3600 * 1000).map(lambda ms: RECENT.since + ms * INSTANT)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ends=st.tuples(moments, moments).filter(lambda ends: ends[0] != ends[1]).map(sorted))
def test_any_window_of_archive_time_lists_what_was_archived_in_it(subject: Subject, ends: list[datetime]) -> None:
    window = TimeWindow(*ends)

    found = subject.archive.list_files(DEVICE, archived=window).files

    assert sorted(names(found)) == sorted(subject.archived_in(window))


def test_ends_of_a_window_between_milliseconds_leave_nothing_out(subject: Subject) -> None:
    file = some_file(subject)
    at = file.archived_at
    assert at is not None

    narrow = TimeWindow(at + timedelta(microseconds=300), at + timedelta(microseconds=600))

    assert file.filename in names(subject.archive.list_files(DEVICE, archived=narrow).files)


def test_window_of_data_time_lists_what_overlaps_it(subject: Subject) -> None:
    file = some_file(subject)
    assert file.begins_at is not None
    assert file.ends_at is not None
    middle = file.begins_at + (file.ends_at - file.begins_at) / 2

    inside = subject.archive.list_files(DEVICE, archived=RECENT, data=TimeWindow(middle, middle + INSTANT)).files
    before = TimeWindow(file.begins_at - HOURS, file.begins_at - INSTANT)

    assert file.filename in names(inside)
    assert file.filename not in names(subject.archive.list_files(DEVICE, archived=RECENT, data=before).files)


def test_extension_narrows_a_listing(subject: Subject) -> None:
    found = subject.archive.list_files(DEVICE, archived=RECENT, extension="hdf5").files

    assert names(found) == [row["filename"] for row in subject.rows if row["filename"].endswith(".hdf5")]
    assert 0 < len(found) < len(subject.rows)


def test_window_in_the_future_is_empty(subject: Subject) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    assert not subject.archive.list_files(DEVICE, archived=TimeWindow(tomorrow, tomorrow + HOURS)).files


def test_repeated_rows_are_listed_once_and_counted(subject: Subject) -> None:
    subject.inside.fault(Kind.DUPLICATE_ROWS, device=DEVICE)

    listing = subject.archive.list_files(DEVICE, archived=RECENT)

    assert sorted(names(listing.files)) == sorted(subject.bodies)
    assert listing.duplicates == len(subject.rows)


def test_empty_listing_is_no_error(subject: Subject) -> None:
    subject.inside.fault(Kind.EMPTY_LISTING, device=DEVICE)

    assert not subject.archive.list_files(DEVICE, archived=RECENT).files


def test_unknown_device_is_named(subject: Subject) -> None:
    with pytest.raises(UnknownDeviceError) as unknown:
        subject.archive.list_files("TUMNOTHING001")

    assert (unknown.value.subject, unknown.value.api_code, unknown.value.status) == ("TUMNOTHING001", 127, 400)


def test_file_is_listed_and_handed_out_until_it_vanishes(subject: Subject, tmp_path: Path) -> None:
    file = some_file(subject)
    assert subject.archive.still_lists(file)

    subject.vanish(file.filename)

    assert not subject.archive.still_lists(file)
    assert file.filename not in names(subject.archive.list_files(DEVICE, archived=RECENT).files)
    with pytest.raises(NotReadyError):
        download(subject.archive, file, tmp_path)


def test_file_that_is_not_ready_is_listed_and_not_handed_out(subject: Subject, tmp_path: Path) -> None:
    file = some_file(subject)
    subject.inside.fault(Kind.NOT_READY, filename=file.filename)

    with pytest.raises(NotReadyError) as caught:
        download(subject.archive, file, tmp_path)

    assert subject.archive.still_lists(file)
    assert (caught.value.subject, caught.value.status, caught.value.api_code) == (file.filename, 400, 96)


def test_file_that_goes_when_it_is_asked_for_is_listed_no_more(subject: Subject, tmp_path: Path) -> None:
    file = some_file(subject)
    subject.inside.fault(Kind.GONE_BETWEEN, filename=file.filename)
    assert subject.archive.still_lists(file)

    with pytest.raises(NotReadyError):
        download(subject.archive, file, tmp_path)

    assert not subject.archive.still_lists(file)


def test_download_has_the_bytes_and_announces_them(subject: Subject, tmp_path: Path) -> None:
    file = some_file(subject)

    fetched = download(subject.archive, file, tmp_path)

    assert fetched.path.read_bytes() == subject.bodies[file.filename]
    with subject.archive.open_file(file.filename) as body:
        assert body.announced_bytes == file.expected_bytes == fetched.size_bytes
        assert body.marks_its_end
        assert body.read(10) + body.read(2**30) == subject.bodies[file.filename]
        assert body.read(1) == b""


@pytest.mark.parametrize("kind", [Kind.BIT_FLIP, Kind.ZERO_TAIL, Kind.STILL_OPEN_SWMR])
def test_damage_that_keeps_the_size_arrives_as_other_bytes(subject: Subject, tmp_path: Path, kind: Kind) -> None:
    file = some_file(subject)
    subject.inside.fault(kind, filename=file.filename, endpoint="download", count=1)

    damaged = download(subject.archive, file, tmp_path)

    assert damaged.path.read_bytes() != subject.bodies[file.filename]
    whole = download(subject.archive, file, tmp_path)
    assert whole.path.read_bytes() == subject.bodies[file.filename]


@pytest.mark.parametrize(
    ("kind", "expected"), [*OF_DOWNLOADS, (Kind.STATUS, ArchiveBusyError), (Kind.TOKEN_REVOKED, TokenRejectedError)]
)
def test_trouble_with_a_download_has_its_type_tells_no_token_and_leaves_nothing(
    subject: Subject, archive: RunningArchive, tmp_path: Path, kind: Kind, expected: type[MirrorError]
) -> None:
    file = some_file(subject)
    subject.inside.fault(kind, filename=file.filename if kind is not Kind.TOKEN_REVOKED else None)

    with pytest.raises(expected) as caught:
        download(subject.archive, file, tmp_path)

    assert type(caught.value) is expected
    assert caught.value.subject == (None if expected is TokenRejectedError else file.filename)
    assert archive.token not in everything_printed(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("kind", "expected"), OF_LISTINGS)
def test_trouble_with_a_listing_has_its_type_and_tells_no_token(
    subject: Subject, archive: RunningArchive, kind: Kind, expected: Any
) -> None:
    subject.inside.fault(kind, endpoint="device")

    with pytest.raises(expected) as caught:
        subject.archive.list_files(DEVICE, archived=RECENT)

    assert caught.value.subject == (None if expected is TokenRejectedError else DEVICE)
    assert archive.token not in everything_printed(caught.value)


def test_counts_that_are_not_told_are_an_error_and_listings_go_on(subject: Subject) -> None:
    subject.inside.fault(Kind.SERVER_ERROR, endpoint="dataAvailability")

    with pytest.raises(ArchiveBusyError):
        subject.archive.count_files(DEVICE, TimeWindow(NOON - timedelta(days=1), NOON))

    assert subject.archive.list_files(DEVICE, archived=RECENT).files


def test_fault_that_strikes_once_is_gone_afterwards(subject: Subject) -> None:
    subject.inside.fault(Kind.SERVER_ERROR, endpoint="device", count=1)
    with pytest.raises(ArchiveBusyError):
        subject.archive.list_files(DEVICE, archived=RECENT)

    assert len(subject.archive.list_files(DEVICE, archived=RECENT).files) == len(subject.rows)


def test_deployed_device_has_a_stay_without_an_end_and_a_stranger_none(subject: Subject) -> None:
    assert any(stay.ends_at is None for stay in subject.archive.deployments(DEVICE))
    assert subject.archive.deployments("TUMNOTHING001") == ()


def test_as_many_files_are_counted_as_have_data_that_begin_in_a_day(subject: Subject) -> None:
    day = TimeWindow(NOON.replace(hour=0), NOON.replace(hour=0) + timedelta(days=1))
    listed = subject.archive.list_files(DEVICE, data=day).files
    begun = [file for file in listed if file.begins_at is not None and day.since <= file.begins_at < day.until]

    found = subject.archive.count_files(DEVICE, day)

    counted: Counter[tuple[str, str]] = Counter()
    for one in found:
        counted[one.product_code, one.extension] += one.files
    assert counted == Counter((file.product_code or "", file.extension) for file in begun)
    assert all(day.since <= one.since < one.until <= day.until for one in found)


def test_what_a_hook_does_comes_before_the_answer(kept: tuple[tuple[dict[str, Any], ...], dict[str, bytes]]) -> None:
    (row, *_), bodies = kept
    memory = MemoryArchive([DEVICE], clock=lambda: NOON, hook=lambda: memory.vanish(row["filename"]))
    memory.take_in(row, bodies[row["filename"]])

    assert not memory.list_files(DEVICE).files


def test_listing_that_is_cut_short_says_nothing_and_the_memory_knows_what_it_kept_back(
    kept: tuple[tuple[dict[str, Any], ...], dict[str, bytes]],
) -> None:
    rows, bodies = kept
    memory = MemoryArchive([DEVICE], clock=lambda: NOON)
    for row in rows:
        memory.take_in(row, bodies[row["filename"]])
    memory.shortened[DEVICE] = 2

    listing = memory.list_files(DEVICE)

    assert [file.row for file in listing.files] == list(rows[:2])
    assert [file.row for file in memory.requests[-1].hidden] == list(rows[2:])


def test_clock_is_measured_against_this_machine(subject: Subject) -> None:
    there = datetime.now(UTC) + subject.archive.measure_clock()

    assert abs(there - NOON) < timedelta(seconds=5)


def test_replaced_file_has_another_row_and_other_bytes(
    kept: tuple[tuple[dict[str, Any], ...], dict[str, bytes]], tmp_path: Path
) -> None:
    (row, *_), bodies = kept
    memory = MemoryArchive([DEVICE], clock=lambda: NOON)
    memory.take_in(row, bodies[row["filename"]])

    memory.replace(row["filename"], b"new", fileSize=3, uncompressedFileSize=3)

    (file,) = memory.list_files(DEVICE).files
    assert download(memory, file, tmp_path).path.read_bytes() == b"new"
