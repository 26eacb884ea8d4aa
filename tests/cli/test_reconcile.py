"""`onc-mirror reconcile` as people run it: tables, JSON, exit codes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.archive import RunningArchive
    from tests.support.console import Console

MODULE = "TUMSTANDARDMODULE001"
HOUR = ("--since", "2022-05-02T10:00", "--until", "2022-05-02T12:00")
DAY = ("--since", "2022-05-02", "--until", "2022-05-03")


@pytest.fixture
def mirrored(quick_console: Console, archive: RunningArchive) -> list[Path]:
    """The objects of two hours of one device, after which the archive took in nothing."""
    archive.set_clock(datetime(2022, 5, 2, 12, tzinfo=UTC))
    assert quick_console.run("mirror", "-d", MODULE, *HOUR).code == 0
    objects = sorted((quick_console.folder / "bucket" / "raw").rglob("*.hdf5"))
    assert len(objects) >= 2
    return objects


def test_a_missing_object_is_fetched_again_and_the_tables_say_so(
    quick_console: Console, mirrored: list[Path]
) -> None:
    mirrored[0].unlink()

    dry = quick_console.run("reconcile", "-d", MODULE, *DAY, "--dry-run")
    assert not mirrored[0].exists()
    wet = quick_console.run("reconcile", "-d", MODULE, *DAY)
    again = quick_console.run("reconcile", "-d", MODULE, *DAY)

    assert (dry.code, wet.code, again.code) == (3, 0, 0)
    assert mirrored[0].exists()
    assert dry.out.startswith("Dry run\n")
    (row,) = [line for line in wet.out.splitlines() if mirrored[0].name in line]
    assert row.split()[:5] == ["+", MODULE, mirrored[0].name, "missing-object", "mirrored"]
    assert "1 difference repaired. 1 file fetched, " in wet.out
    assert "of 1 device compared, data of 2022-05-02T00:00:00Z to 2022-05-03T00:00:00Z: " in again.out
    assert f" {len(mirrored)} same, " in again.out
    assert "Differences" not in again.out


def test_json_is_the_document_with_the_report_and_nothing_else(quick_console: Console, mirrored: list[Path]) -> None:
    mirrored[0].unlink()

    answer = quick_console.run("reconcile", "-d", MODULE, *DAY, "--json")

    content = answer.json
    assert (answer.code, answer.err) == (0, "")
    assert [one["standing"] for one in content["devices"][0]["differences"]] == ["missing-object"]
    assert content["report"]["mirrored"] == 1
    assert content["run_id"] == content["report"]["run_id"]


def test_a_device_that_cannot_be_compared_fails_the_run(
    quick_console: Console, mirrored: list[Path], archive: RunningArchive
) -> None:
    archive.fault(Kind.EMPTY_LISTING, device=MODULE, endpoint="device")

    answer = quick_console.run("reconcile", "-d", MODULE, *DAY)

    assert mirrored
    assert answer.code == 1
    assert "empty-listing" in answer.out
    assert "The archive lists no file, but the ledger knows" in answer.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--days", "3", "--since", "2022-05-01"), "--days and --since"),
        (("--days", "0"), "0"),
        (("--since", "2022-05-03", "--until", "2022-05-02"), "ends before it begins"),
        (("--since", "2999-01-01", "--until", "2999-01-02"), "There are no data to compare"),
    ],
)
def test_a_window_that_is_none_is_a_wrong_option(
    quick_console: Console, arguments: tuple[str, ...], told: str
) -> None:
    answer = quick_console.run("reconcile", "-d", MODULE, *arguments)

    assert answer.code == 2
    assert told in answer.err
