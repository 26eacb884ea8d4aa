"""What people are told in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from onc_mirror.model import Decision, Outcome
from onc_mirror.report.document import DeviceError, RunReport
from onc_mirror.report.words import closing_sentence
from onc_mirror.wording import size_text
from tests.support.archive_files import DEVICE, archive_file
from tests.support.reports import build_report

if TYPE_CHECKING:
    from collections.abc import Sequence

NOON = datetime(2026, 11, 22, 12, 0, 0, 987_654, tzinfo=UTC)
UP_TO = "listed, archived up to 2026-11-22T12:00:00Z"


def ends(**numbers: int) -> list[Outcome]:
    decisions = [(Decision(name), reason) for name, number in numbers.items() for reason in ["extension"] * number]
    return [Outcome(archive_file(place), decision, reason) for place, (decision, reason) in enumerate(decisions)]


def report(outcomes: Sequence[Outcome] = (), errors: Sequence[DeviceError] = (), **facts: Any) -> RunReport:
    given: dict[str, Any] = {"window": (None, NOON), "devices": [DEVICE, "B"], "seconds": 12.34}
    return build_report(run_id="r", flow="mirror-hour", outcomes=outcomes, errors=errors, **given | facts)


def unlisted(*devices: str) -> list[DeviceError]:
    return [DeviceError(device, "stalled", "No byte.") for device in devices]


def test_what_was_done_is_accounted_for_without_zeros() -> None:
    done = [*ends(filtered=48, mirrored=45), Outcome(archive_file(99), Decision.MIRRORED, size_bytes=24_000_000)]

    assert closing_sentence(report(done)) == (
        f"94 files of 2 devices {UP_TO}: 46 mirrored, 48 filtered (48 by extension); 24.0 MB in 12.3 s."
    )


def test_every_end_and_every_rule_has_its_number() -> None:
    outcomes = ends(already=1, failed=2, gone=3, held=4, mirrored=5, quarantined=6, filtered=7)
    outcomes.append(Outcome(archive_file(99), Decision.FILTERED, "size"))

    told = closing_sentence(report(outcomes, window=(NOON - timedelta(hours=1), NOON), devices=[]))

    assert told == (
        "29 files listed, archived 2026-11-22T11:00:00Z to 2026-11-22T12:00:00Z: 5 mirrored,"
        " 1 already mirrored, 4 held, 6 quarantined, 8 filtered (7 by extension, 1 by size), 3 gone, 2 failed;"
        " 12.3 s."
    )


def test_files_that_only_earlier_runs_listed_are_told_as_such() -> None:
    told = closing_sentence(replace(report(ends(mirrored=3)), taken_up=2))

    assert told.startswith(
        "3 files of 2 devices listed, 2 of them by earlier runs, archived up to 2026-11-22T12:00:00Z:"
    )


def test_nothing_new_is_said_in_words() -> None:
    assert closing_sentence(report()) == f"Nothing new: 0 files of 2 devices {UP_TO}; 12.3 s."
    assert closing_sentence(report(ends(already=1))) == (
        f"Nothing new: 1 file of 2 devices {UP_TO}: 1 already mirrored; 12.3 s."
    )


def test_devices_that_were_not_listed_are_counted_once_and_named_with_the_reason() -> None:
    few = closing_sentence(report(ends(already=1), unlisted("B", "B")))
    many = closing_sentence(report([], unlisted(*"CDEFGHI"), devices="CDEFGHI"))

    assert few == f"1 file of 2 devices {UP_TO}: 1 already mirrored; 12.3 s. 1 of 2 devices not listed (stalled): B."
    assert many.endswith(" 7 of 7 devices not listed (stalled): C, D, E, F, G and 2 more.")


def test_an_error_of_the_run_is_no_device_that_was_not_listed() -> None:
    trouble = DeviceError("", "store-forbidden", "The report is not in the bucket.")

    after_work = closing_sentence(report(ends(mirrored=1), [trouble]))
    broken_off = closing_sentence(report([], [DeviceError("", "token-rejected", "Set ONC_TOKEN.")], devices=[]))

    assert after_work == f"1 file of 2 devices {UP_TO}: 1 mirrored; 12.3 s. The report is not in the bucket."
    assert broken_off == "Set ONC_TOKEN."


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (3 * 10**18, "3000.0 PB"),
    ],
)
def test_sizes_are_readable(size: int, text: str) -> None:
    assert size_text(size) == text
