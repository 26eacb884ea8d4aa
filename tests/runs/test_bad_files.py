"""One bad file stops nobody, is not tried more often than it deserves, and is never forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.model import Decision
from tests.support.mirrors import DEVICE, VICTIM, on_ladder

if TYPE_CHECKING:
    from onc_mirror.report.document import ReportedFile, RunReport
    from tests.support.mirrors import Bench

LADDER = (timedelta(minutes=30), timedelta(hours=6))


@pytest.fixture
def mirror(lone_mirror: Bench) -> Bench:
    return on_ladder(lone_mirror, LADDER)


def the_bad(report: RunReport) -> ReportedFile:
    (bad,) = report.attention
    assert bad.filename == VICTIM
    return bad


def downloads(mirror: Bench) -> int:
    return len(mirror.archive.requests_for("download", filename=VICTIM))


@pytest.mark.parametrize(
    ("kind", "fields"),
    [(Kind.BIT_FLIP, {}), (Kind.ZERO_TAIL, {}), (Kind.INJECTED_TEXT, {"keep_size": True})],
)
def test_damage_on_the_way_is_cured_by_a_second_download_and_told(
    mirror: Bench, kind: Kind, fields: dict[str, Any]
) -> None:
    mirror.archive.fault(kind, filename=VICTIM, endpoint="download", count=1, **fields)

    report = mirror.run(devices=(DEVICE,))

    assert (report.mirrored, report.exit_code, downloads(mirror)) == (10, 0, 2)
    (told,) = (file for file in report.files if file.filename == VICTIM)
    assert told.detail == "A first copy was damaged on its way from the archive; this one is proven."
    assert not mirror.objects("quarantine/")
    mirror.assert_promises_hold(report)


def test_two_downloads_that_are_damaged_differently_are_held_and_not_quarantined(mirror: Bench) -> None:
    mirror.archive.fault(Kind.BIT_FLIP, filename=VICTIM, endpoint="download", count=1)
    mirror.archive.fault(Kind.ZERO_TAIL, filename=VICTIM, endpoint="download")

    bad = the_bad(mirror.run(devices=(DEVICE,)))

    assert (bad.decision, bad.reason) == (Decision.HELD, "transport-damage")
    assert not mirror.objects("quarantine/")


def test_the_archive_s_own_bad_copy_is_downloaded_twice_and_then_never_again_until_its_row_changes(
    mirror: Bench,
) -> None:
    number = mirror.archive.fault(Kind.BIT_FLIP, filename=VICTIM, endpoint="download")
    assert the_bad(mirror.run(devices=(DEVICE,))).decision is Decision.QUARANTINED
    assert downloads(mirror) == 2

    for hours in (1, 24):  # far behind the ladder's end
        mirror.turn(mirror.now + timedelta(hours=hours))
        mirror.run(devices=(DEVICE,))
    assert downloads(mirror) == 2

    mirror.archive.faults.remove(number)
    mirror.archive.fault(Kind.RE_ARCHIVED, filename=VICTIM, at=mirror.now)
    mirror.turn(mirror.now + timedelta(hours=1))
    report = mirror.run(devices=(DEVICE,))

    assert [key for key in mirror.objects("raw/") if VICTIM in key]
    mirror.assert_promises_hold(report)


def test_a_failing_file_climbs_its_ladder_whatever_runs_see_it_and_is_given_up_at_its_end(mirror: Bench) -> None:
    mirror.archive.fault(Kind.SHORT, filename=VICTIM, endpoint="download")
    seen = []
    for minutes in (0, 10, 10, 20, 60, 4 * 60, 60, 24 * 60):
        mirror.turn(mirror.now + timedelta(minutes=minutes))
        attention = mirror.run(devices=(DEVICE,)).attention
        assert {bad.filename for bad in attention} <= {VICTIM}
        seen.append((*(bad.decision.value for bad in attention), downloads(mirror)))

    assert seen == [
        ("failed", 1),
        ("held", 1),
        ("held", 1),
        ("failed", 2),
        ("held", 2),
        ("held", 2),
        ("quarantined", 3),
        (3,),
    ]
    assert mirror.ledger_states(DEVICE)[VICTIM] == ("quarantined", "wrong-size")


def test_an_outage_of_the_store_puts_no_file_on_the_ladder(mirror: Bench) -> None:
    bucket = mirror.settings.state_dir.parent / "bucket"
    for hour in range(4):
        mirror.turn(mirror.now + timedelta(hours=hour))
        (bucket / "raw").write_text("in the way")
        report = mirror.run(devices=(DEVICE,))
        assert report.failed >= 10
        (bucket / "raw").unlink()

    report = mirror.run(devices=(DEVICE,))

    assert report.exit_code == 0
    assert report.mirrored >= 10
    mirror.assert_promises_hold(report)
