"""`onc-mirror scrub` as people run it: tables, JSON, exit codes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.report.document import RunReport

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.archive import RunningArchive
    from tests.support.console import Console

MODULE = "TUMSTANDARDMODULE001"


@pytest.fixture
def objects(quick_console: Console, archive: RunningArchive) -> list[Path]:
    """The objects of two hours of one device."""
    archive.set_clock(datetime(2022, 5, 2, 12, tzinfo=UTC))
    hours = ("--since", "2022-05-02T10:00", "--until", "2022-05-02T12:00")
    assert quick_console.run("mirror", "-d", MODULE, *hours).code == 0
    found = sorted((quick_console.folder / "bucket" / "raw").rglob("*.hdf5"))
    assert len(found) >= 2
    return found


def test_a_quiet_scrub_says_how_much_it_read(quick_console: Console, objects: list[Path]) -> None:
    answer = quick_console.run("scrub")

    assert answer.code == 0
    assert f"{len(objects)} of {len(objects)} objects (" in answer.out
    assert "all are what was proven" in " ".join(answer.out.split())
    assert "Not as proven" not in answer.out


def test_what_is_missing_and_lost_is_named_and_fails(
    quick_console: Console, archive: RunningArchive, objects: list[Path]
) -> None:
    archive.fault(Kind.VANISHED, filename=objects[0].name)
    for path in objects[:2]:
        path.unlink()

    answer = quick_console.run("scrub", "--json")

    content = answer.json
    assert answer.code == 1
    assert (content["mirrored"], content["gone"], content["already"]) == (1, 1, len(objects) - 2)
    assert [error["reason"] for error in content["errors"]] == ["lost"]
    assert content["scrub"]["objects"] == len(objects)
    assert RunReport.from_json(json.dumps(content)).exit_code == 1
    assert objects[1].exists()


def test_a_budget_too_small_says_what_it_should_be(quick_console: Console, objects: list[Path]) -> None:
    answer = quick_console.run("scrub", "--budget", "1")

    assert answer.code == 0
    assert objects
    assert "Raise ONC_MIRROR_SCRUB_BUDGET to " in " ".join(answer.out.split())
