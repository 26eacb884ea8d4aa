"""What an operator's word does to quarantined files, in whole runs."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.model import Decision, Grade, TimeWindow
from onc_mirror.quarantine.checks import look_up, retry
from onc_mirror.quarantine.releasing import release
from onc_mirror.store import open_store
from tests.support.dying_mirror import run_and_die
from tests.support.mirrors import DEVICE, VICTIM

if TYPE_CHECKING:
    from onc_mirror.ledger import Dossier
    from onc_mirror.report.document import ReportedFile, RunReport
    from tests.support.mirrors import Bench

KEY = f"raw/{DEVICE}/2022/05/02/{VICTIM}"


@pytest.fixture
def mirror(lone_mirror: Bench) -> Bench:
    """A mirror of an archive whose own copy of a file is bad."""
    lone_mirror.archive.fault(Kind.BIT_FLIP, filename=VICTIM, endpoint="download")
    lone_mirror.settings = lone_mirror.settings.model_copy(update={"overlap": timedelta(0), "stall_timeout_s": 30.0})
    assert lone_mirror.run(devices=(DEVICE,)).quarantined == 1
    lone_mirror.turn(lone_mirror.now + timedelta(minutes=1))
    return lone_mirror


def downloads(mirror: Bench) -> int:
    return len(mirror.archive.requests_for("download", filename=VICTIM))


def dossier(mirror: Bench) -> Dossier:
    with mirror.open() as parts:
        return look_up(parts.ledger, VICTIM)


def try_again(mirror: Bench) -> None:
    with mirror.open() as parts:
        assert retry(parts.ledger, [(DEVICE, VICTIM)], parts.clock()) == {(DEVICE, VICTIM)}


def released(mirror: Bench, grade: Grade) -> tuple[RunReport, ReportedFile]:
    with mirror.open() as parts:
        report = release(parts, [look_up(parts.ledger, VICTIM)], grade)
    (file,) = report.files
    return report, file


def quarantine(mirror: Bench) -> tuple[str, str]:
    """The bad bytes in the bucket: their key and hash."""
    ((key, sha256),) = ((key, sha256) for key, sha256 in mirror.objects("quarantine/").items() if key[-5:] != ".json")
    return key, sha256


def test_a_retried_file_is_fetched_by_the_next_run_whatever_its_window(mirror: Bench) -> None:
    mirror.archive.faults.clear()
    assert mirror.run(devices=(DEVICE,)).listed < 10  # the window lists the file no more
    assert dossier(mirror).state == "quarantined"

    try_again(mirror)
    report = mirror.run(devices=(DEVICE,))

    assert mirror.objects()[KEY] == mirror.archive.true_sha256(VICTIM)
    assert report.exit_code == 0
    mirror.assert_promises_hold(report)


def test_a_retried_file_that_is_still_bad_goes_back_to_quarantine_with_its_ladder_begun_anew(mirror: Bench) -> None:
    try_again(mirror)
    assert dossier(mirror).attempts == 0

    mirror.run(devices=(DEVICE,))

    again = dossier(mirror)
    assert (again.state, again.reason, again.attempts) == ("quarantined", "undecodable-chunk", 1)
    assert downloads(mirror) == 4
    mirror.run(devices=(DEVICE,))
    assert downloads(mirror) == 4


def test_released_bytes_are_published_with_the_grade_they_passed_and_who_said_so(mirror: Bench) -> None:
    key, sha256 = quarantine(mirror)
    before = mirror.objects("quarantine/")

    report, file = released(mirror, Grade.STRUCTURE)

    assert (report.exit_code, report.flow, file.decision, file.grade) == (0, "release", "mirrored", "structure")
    assert "Released by an operator" in file.detail
    assert mirror.objects()[KEY] == sha256
    assert mirror.objects("quarantine/") == before
    with open_store(mirror.settings) as store:
        found = store.head(KEY)
    assert found is not None
    assert (found.metadata["grade"], found.metadata["released-by"]) == ("structure", "operator")
    known = dossier(mirror)
    assert (known.state, known.key, known.sha256, known.grade) == ("mirrored", KEY, sha256, Grade.STRUCTURE)
    assert known.quarantine_key == key
    assert any(name.startswith("reports/release/") for name in mirror.objects())


def test_a_released_file_stays_released_also_when_the_ledger_is_lost(mirror: Bench) -> None:
    released(mirror, Grade.SIZE)
    objects = mirror.objects("raw/")
    asked = downloads(mirror)
    for path in mirror.settings.state_dir.glob("ledger.db*"):
        path.unlink()

    report = mirror.run(devices=(DEVICE,), since=mirror.now - timedelta(hours=2))

    assert report.exit_code == 0
    assert downloads(mirror) == asked
    assert objects.items() <= mirror.objects("raw/").items()
    assert dossier(mirror).grade is Grade.SIZE


def test_bytes_that_do_not_pass_stay_in_quarantine_and_nothing_is_published(mirror: Bench) -> None:
    before = mirror.objects()

    report, file = released(mirror, Grade.CONTENT)

    assert (report.exit_code, file.decision, file.reason) == (3, "quarantined", "undecodable-chunk")
    assert file.detail.startswith("Not of the grade content; it passes structure.")
    assert {name: sha for name, sha in mirror.objects().items() if not name.startswith("reports/release")} == before
    assert (dossier(mirror).state, dossier(mirror).attempts) == ("quarantined", 1)


def test_bytes_that_were_changed_in_the_bucket_are_not_released(mirror: Bench) -> None:
    key, _ = quarantine(mirror)
    path = Path(mirror.settings.store_url.removeprefix("file://"), key)
    state = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    report, file = released(mirror, Grade.SIZE)

    assert (report.exit_code, file.reason) == (3, "altered-copy")
    assert KEY not in mirror.objects()


def test_bytes_that_are_gone_from_the_bucket_are_not_released(mirror: Bench) -> None:
    key, _ = quarantine(mirror)
    with open_store(mirror.settings) as store:
        store.delete(key)

    assert released(mirror, Grade.SIZE)[1].reason == "altered-copy"


def test_bytes_of_a_file_that_the_archive_has_replaced_are_not_released(mirror: Bench) -> None:
    mirror.archive.fault(Kind.RE_ARCHIVED, filename=VICTIM, at=mirror.now)
    mirror.turn(mirror.now + timedelta(minutes=5))
    with mirror.open() as parts:
        parts.ledger.start_run("lists", "mirror-hour", mirror.now)
        listed = parts.archive.list_files(DEVICE, archived=TimeWindow(mirror.now - timedelta(hours=6), mirror.now))
        parts.ledger.record_listed(listed.files, run_id="lists", now=mirror.now)

    assert released(mirror, Grade.SIZE)[1].reason == "outdated-copy"
    assert KEY not in mirror.objects()


def test_what_a_run_works_on_is_neither_released_nor_retried(mirror: Bench) -> None:
    known = dossier(mirror)
    with mirror.open() as parts:
        until = mirror.now + timedelta(minutes=2)
        parts.ledger.leases.claim([(known.file, known.revision)], owner="a run", until=until, now=mirror.now)
        assert not retry(parts.ledger, [(DEVICE, VICTIM)], mirror.now)

    report, file = released(mirror, Grade.SIZE)

    assert (report.exit_code, file.decision, file.reason) == (3, "held", "claimed-elsewhere")
    assert KEY not in mirror.objects()
    mirror.turn(mirror.now + timedelta(minutes=3))
    assert released(mirror, Grade.SIZE)[1].decision is Decision.MIRRORED


def test_a_bucket_out_of_reach_fails_the_release_and_changes_nothing(mirror: Bench) -> None:
    bucket = Path(mirror.settings.store_url.removeprefix("file://"))
    bucket.rename(bucket.with_name("elsewhere"))
    bucket.write_text("in the way")

    report, file = released(mirror, Grade.SIZE)

    assert (report.exit_code, file.decision) == (1, "failed")
    bucket.unlink()
    bucket.with_name("elsewhere").rename(bucket)
    assert released(mirror, Grade.SIZE)[0].exit_code == 0


def test_a_release_that_is_killed_is_repeated_and_ends_well(mirror: Bench) -> None:
    run_and_die(mirror, "store.publish", "quarantine", "release", VICTIM, "--grade", "structure")
    assert KEY in mirror.objects()
    assert dossier(mirror).state == "quarantined"
    mirror.now = dossier(mirror).state_since + timedelta(days=10_000)  # past the lease of the killed one

    report, _ = released(mirror, Grade.STRUCTURE)

    assert report.exit_code == 0
    assert dossier(mirror).state == "mirrored"
    assert list(mirror.objects("raw/")).count(KEY) == 1
    assert not mirror.objects("superseded/")
