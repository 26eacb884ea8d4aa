"""The report of a run: numbers that add up, and what to look at."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.model import Decision, Grade, Outcome
from onc_mirror.report.document import DeviceError, RunReport
from tests.support.archive_files import DEVICE, any_text, archive_file, archive_files, bounded, sizes, times
from tests.support.reports import build_report

if TYPE_CHECKING:
    from collections.abc import Sequence

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ERROR = DeviceError(DEVICE, "connect-timeout", "No connection within 10 s.")


def report(outcomes: Sequence[Outcome] = (), errors: Sequence[DeviceError] = (), **facts: Any) -> RunReport:
    given_facts: dict[str, Any] = {
        "run_id": "20261122T120000-1",
        "flow": "mirror-hour",
        "window": (None, NOON),
        "devices": [DEVICE],
        "seconds": 1.5,
    }
    return build_report(outcomes=outcomes, errors=errors, **given_facts | facts)


def end(decision: Decision, number: int = 0, **facts: Any) -> Outcome:
    return Outcome(archive_file(number), decision, **facts)


EACH = [
    end(Decision.MIRRORED, 0, key="k", size_bytes=60_000, sha256="ab" * 32, grade=Grade.CONTENT),
    end(Decision.ALREADY, 1),
    end(Decision.HELD, 2, reason="stalled", detail="No byte for 60 s."),
    end(Decision.QUARANTINED, 3, reason="truncated-file"),
    end(Decision.FILTERED, 4, reason="extension"),
    end(Decision.FILTERED, 5, reason="size"),
    end(Decision.FILTERED, 6, reason="size"),
    end(Decision.GONE, 7, reason="vanished"),
    end(Decision.FAILED, 8, reason="unexpected", size_bytes=5),
]


def test_the_json_has_the_promised_names_and_numbers() -> None:
    content = json.loads(report(EACH, devices=["B", DEVICE]).to_json())

    files, by_device = content.pop("files"), content.pop("by_device")
    assert content == {
        "run_id": "20261122T120000-1",
        "flow": "mirror-hour",
        "window": {"since": None, "until": "2026-11-22T12:00:00Z"},
        "devices": ["B", DEVICE],
        "listed": 9,
        "mirrored": 1,
        "already": 1,
        "held": 1,
        "quarantined": 1,
        "filtered": {"extension": 1, "size": 2},
        "gone": 1,
        "failed": 1,
        "bytes": 60_005,
        "seconds": 1.5,
        "unnamed": 0,
        "taken_up": 0,
        "errors": [],
    }
    assert files[-1] == {
        "filename": archive_file(0).filename,
        "device": DEVICE,
        "decision": "mirrored",
        "reason": "",
        "bytes": 60_000,
        "sha256": "ab" * 32,
        "grade": "content",
        "detail": "",
    }
    assert [device["listed"] for device in by_device] == [0, 9]


def test_files_are_those_that_matter_newest_first() -> None:
    named = report(EACH).files

    assert [file.decision for file in named] == ["failed", "gone", "quarantined", "held", "mirrored"]
    assert [file.reason for file in report(EACH).attention] == ["unexpected", "vanished", "truncated-file", "stalled"]


_ends = st.sampled_from([decision for decision in Decision if decision is not Decision.FETCH])
_outcomes = st.builds(
    Outcome,
    archive_files(),
    _ends,
    reason=any_text,
    detail=any_text,
    size_bytes=sizes,
    sha256=st.none() | any_text,
    grade=st.none() | st.sampled_from(Grade),
)
_errors = st.builds(DeviceError, any_text, any_text, any_text)
_windows = st.tuples(st.none() | times, st.none() | times)


@bounded
@given(
    outcomes=st.lists(_outcomes, max_size=5),
    errors=st.lists(_errors, max_size=2),
    window=_windows,
    devices=st.lists(any_text),
    seconds=st.floats(0, 1e9),
)
def test_any_report_adds_up_and_comes_back_from_json(
    outcomes: list[Outcome], errors: list[DeviceError], **facts: Any
) -> None:
    made = report(outcomes, errors, **facts)

    assert made.listed == len(outcomes)
    assert sum(device.bytes for device in made.by_device) == made.bytes
    assert RunReport.from_json(made.to_json()) == made
    made.to_json().encode("ascii")


@pytest.mark.parametrize(
    ("outcomes", "errors", "expected"),
    [
        pytest.param(EACH[:2] + EACH[4:8], [], (0, "completed", True), id="done"),
        pytest.param([], [], (0, "completed", False), id="nothing listed"),
        pytest.param([EACH[1], EACH[4]], [], (0, "completed", False), id="nothing to do"),
        pytest.param(EACH[:3], [], (3, "completed-with-held", True), id="held"),
        pytest.param([EACH[3]], [], (3, "completed-with-held", True), id="quarantined"),
        pytest.param(EACH, [], (1, "failed", True), id="a file failed"),
        pytest.param([EACH[1]], [ERROR], (1, "failed", True), id="a device failed"),
    ],
)
def test_the_headline_follows_the_worst(
    outcomes: list[Outcome], errors: list[DeviceError], expected: tuple[int, str, bool]
) -> None:
    made = report(outcomes, errors)

    assert (made.exit_code, made.state, made.is_noteworthy) == expected


def test_a_report_that_does_not_add_up_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="does not add up: 10 listed, 9 counted"):
        replace(report(EACH), listed=10)
    with pytest.raises(ValueError, match="does not add up over its devices"):
        replace(report(EACH), by_device=())


def test_a_plan_is_no_end() -> None:
    with pytest.raises(ValueError, match="came to no end"):
        report([end(Decision.FETCH)])


@pytest.mark.parametrize("text", ["{}", "[]", '"x"', "not json", '{"window": {}}'])
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not the report of a run|Expecting value"):
        RunReport.from_json(text)


def test_no_secret_parameter_reaches_the_report() -> None:
    leak = "GET /download?token=canary-token&filename=a"

    text = report([end(Decision.HELD, detail=leak)], [DeviceError(DEVICE, "stalled", leak)]).to_json()

    assert text.count("token=***") == 2
    assert "canary-token" not in text
