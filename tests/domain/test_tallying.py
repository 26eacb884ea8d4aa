"""Counting the ends of files: the same numbers however they come, and no more names than wanted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.model import Decision, Outcome
from onc_mirror.report.document import DeviceError, RunReport
from onc_mirror.report.tally import Tally
from tests.support.archive_files import DEVICE, archive_file, bounded
from tests.support.reports import build_report

if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOW = (datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC))
ends = st.lists(
    st.builds(
        lambda number, device, decision: Outcome(archive_file(number, device), decision, "why", size_bytes=number),
        st.integers(0, 400),
        st.sampled_from([DEVICE, "B"]),
        st.sampled_from([decision for decision in Decision if decision is not Decision.FETCH]),
    ),
    max_size=40,
)


def report(tally: Tally) -> RunReport:
    return tally.report(run_id="r", flow="backfill", window=WINDOW, seconds=1.0)


def tallied(outcomes: Iterable[Outcome], most_named: int | None = None) -> RunReport:
    tally = Tally([DEVICE], most_named=most_named)
    tally.add(outcomes)
    return report(tally)


@bounded
@given(ends, st.integers(0, 40))
def test_the_numbers_are_those_of_the_whole_in_whatever_portions_they_come(outcomes: list[Outcome], cut: int) -> None:
    tally = Tally([DEVICE])
    tally.add(outcomes[:cut])
    tally.add(outcomes[cut:])
    merged = Tally([DEVICE])
    merged.merge(tallied(outcomes[:cut]))
    merged.merge(tallied(outcomes[cut:]))

    whole = build_report(
        run_id="r", flow="backfill", window=WINDOW, devices=[DEVICE], outcomes=outcomes, errors=(), seconds=1.0
    )

    assert report(tally) == whole
    assert (report(merged).by_device, report(merged).filtered) == (whole.by_device, whole.filtered)
    assert sorted(map(str, report(merged).files)) == sorted(map(str, whole.files))


@bounded
@given(ends, st.integers(0, 5))
def test_names_are_bounded_and_what_is_not_named_is_counted(outcomes: list[Outcome], most: int) -> None:
    whole, few = tallied(outcomes), tallied(outcomes, most)

    assert sum(file.needs_attention for file in few.files) <= most
    assert sum(not file.needs_attention for file in few.files) <= most
    assert len(few.files) + few.unnamed == len(whole.files)
    assert (few.by_device, few.exit_code, few.is_noteworthy) == (
        whole.by_device,
        whole.exit_code,
        whole.is_noteworthy,
    )
    assert RunReport.from_json(few.to_json()) == few


def test_more_errors_than_are_named_are_counted() -> None:
    tally = Tally([DEVICE], most_named=2)
    tally.fail(*(DeviceError(DEVICE, "stalled", f"day {number}") for number in range(5)))

    first, *others = report(tally).errors

    assert [error.detail for error in others] == ["day 0", "day 1"]
    assert first.detail == "3 more errors are not named here."


def test_a_merged_run_brings_its_errors_and_devices() -> None:
    tally, part = Tally([DEVICE]), Tally(["B"])
    part.fail(DeviceError("B", "stalled", "2026-11-22: No byte."))

    tally.merge(report(part))

    assert report(tally).devices == ("B", DEVICE)
    assert [error.device for error in report(tally).errors] == ["B"]


def test_what_came_to_no_end_is_not_counted_as_if_it_had() -> None:
    with pytest.raises(ValueError, match="came to no end"):
        tallied([Outcome(archive_file(), Decision.FETCH)])


def test_newer_parts_come_first() -> None:
    old, new, tally = Tally(), Tally(), Tally()
    old.add([Outcome(archive_file(0), Decision.MIRRORED)])
    new.add([Outcome(archive_file(300), Decision.MIRRORED)])

    for part, days in ((old, 2), (new, 1)):
        since = WINDOW[1] - timedelta(days=days)
        tally.merge(part.report(run_id="p", flow="backfill-part", window=(since, since), seconds=1.0))

    assert [file.filename for file in report(tally).files] == [archive_file(n).filename for n in (300, 0)]
