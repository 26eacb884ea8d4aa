"""When a reconcile stops before it repairs, and what its document and its exit code say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from onc_mirror.model import ArchiveFile, Decision, Outcome, TimeWindow
from onc_mirror.reconcile.findings import (
    Count,
    DeviceComparison,
    Difference,
    Reconciliation,
    add_counts,
    with_outcomes,
)
from onc_mirror.reconcile.guard import passes, stopped
from onc_mirror.reconcile.standing import Sign, Standing
from onc_mirror.reconcile.witnessing import Disagreement, Tally
from onc_mirror.reconcile.words import closing_sentence, count_rows, difference_rows, witness_rows
from onc_mirror.report.document import DeviceError

DAY = datetime(2026, 11, 22, tzinfo=UTC)
WINDOW = TimeWindow(DAY, DAY + timedelta(days=7))


def device(code: str = "A", *, expected: int = 100, changing: int = 0, **more: object) -> DeviceComparison:
    counts = (
        Count(Sign.SAME, Standing.SAME, expected - changing, 10),
        *((Count(Sign.ONLY_ARCHIVE, Standing.MISSING_OBJECT, changing, 5),) if changing else ()),
    )
    return replace(DeviceComparison(code, expected=expected, changing=changing, counts=counts), **more)  # type: ignore[arg-type]  # fields of any type


def reconciliation(
    *devices: DeviceComparison, errors: tuple[DeviceError, ...] = (), run: str = "r"
) -> Reconciliation:
    return Reconciliation(run_id=run, window=WINDOW, devices=devices, errors=errors)


def difference(standing: Standing = Standing.MISSING_OBJECT, number: int = 0) -> Difference:
    return Difference("A", f"file{number}.hdf5", Sign.ONLY_ARCHIVE, standing, "raw/A/file", 5, "It is missing.")


def test_a_device_that_would_change_by_more_than_a_quarter_is_stopped_alone() -> None:
    (error,) = stopped([device("A", changing=26), device("B", changing=1)])

    assert (error.device, error.reason) == ("A", "unlikely-change")
    assert error.detail.startswith("26 of the 100 files that A should have would change (26 missing-object).")
    assert (passes("A", [error]), passes("B", [error])) == (False, True)


def test_many_small_devices_together_stop_the_run() -> None:
    """As an emptied bucket looks where no device alone has enough files to tell."""
    (error,) = stopped([device(code, expected=10, changing=10) for code in "ABC"])

    assert error.device == ""
    assert "30 of the 30 files that this mirror should have" in error.detail
    assert not any(passes(code, [error]) for code in "ABC")


@pytest.mark.parametrize(("expected", "changing"), [(20, 20), (100, 25), (0, 0), (100, 0)])
def test_a_bad_day_is_no_accident_with_the_bucket(expected: int, changing: int) -> None:
    assert stopped([device(expected=expected, changing=changing)]) == ()


def test_other_errors_stop_nothing() -> None:
    assert passes("A", [DeviceError("A", "lost", "")])


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (reconciliation(device()), 0),
        (reconciliation(device(), errors=(DeviceError("A", "stalled", ""),)), 1),
        (reconciliation(device(changing=1), run=""), 3),
        (reconciliation(device(silent_witness="It is down.")), 3),
        (reconciliation(device(disagreements=(Disagreement("LF", "txt", DAY, DAY, Tally(1), Tally(2)),))), 3),
        (reconciliation(device(counts=(Count(Sign.ONLY_BUCKET, Standing.UNKNOWN_OBJECT, 1, 1),))), 3),
        (reconciliation(device(counts=(Count(Sign.ERROR, Standing.COUNTED_ONLY, 1, 1),))), 3),
        (reconciliation(device(counts=(Count(Sign.ONLY_ARCHIVE, Standing.HELD, 1, 1),))), 3),
        (reconciliation(device(counts=(Count(Sign.ONLY_ARCHIVE, Standing.FILTERED, 1, 1),))), 0),
        (reconciliation(device(counts=(Count(Sign.ONLY_ARCHIVE, Standing.BEFORE_MIRROR, 1, 1),))), 0),
    ],
)
def test_the_exit_code_says_whether_somebody_should_look(found: Reconciliation, code: int) -> None:
    assert found.exit_code == code


def test_counts_of_devices_add_up() -> None:
    found = reconciliation(device("A", changing=2), device("B", changing=1))

    assert found.counts() == (
        Count(Sign.ONLY_ARCHIVE, Standing.MISSING_OBJECT, 3, 10),
        Count(Sign.SAME, Standing.SAME, 197, 20),
    )
    assert add_counts(()) == ()
    assert sum(row["files"] for row in count_rows(found)) == 200


@pytest.mark.parametrize(
    ("decision", "reason", "told"),
    [
        (Decision.MIRRORED, "", "mirrored"),
        (Decision.ALREADY, "", "mirrored"),
        (Decision.FAILED, "stalled", "failed: stalled"),
        (Decision.GONE, "not-listed", "gone: not-listed"),
    ],
)
def test_a_difference_tells_what_became_of_it(decision: Decision, reason: str, told: str) -> None:
    found = device(differences=(difference(), difference(number=1)))
    end = Outcome(ArchiveFile("file0.hdf5", "A"), decision, reason)

    first, second = with_outcomes(found, {("A", "file0.hdf5"): end}).differences

    assert (first.outcome, second.outcome) == (told, None)


def test_the_document_names_what_differs_and_hides_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONC_TOKEN", "c4nary-token-of-the-archive")
    told = "It said token=c4nary-token-of-the-archive"
    disagreement = Disagreement("LF", "txt", DAY, DAY + timedelta(days=1), Tally(1, 2, None), Tally(2, 3, None))
    found = reconciliation(
        device(differences=(difference(),), unnamed=7, disagreements=(disagreement,), silent_witness=told),
        errors=(DeviceError("A", "lost", told),),
    )

    text = found.to_json()

    assert "c4nary" not in text
    content = json.loads(text)
    (one,) = content["devices"]
    assert one["differences"][0]["standing"] == "missing-object"
    assert one["unnamed"] == 7
    assert one["witness"]["disagreements"][0]["counted"]["files"] == 2
    assert one["witness"]["disagreements"][0]["since"] == "2026-11-22T00:00:00Z"
    assert content["window"] == {"since": "2026-11-22T00:00:00Z", "until": "2026-11-29T00:00:00Z"}


def test_tables_say_how_many_rows_they_leave_out() -> None:
    found = reconciliation(device(differences=tuple(difference(number=number) for number in range(5)), unnamed=10))

    rows = difference_rows(found, 3)

    assert [row["file"] for row in rows] == ["file0.hdf5", "file1.hdf5", "file2.hdf5", "and 12 differences more"]
    assert difference_rows(reconciliation(device())) == []
    assert witness_rows(found) == []


def test_the_sentence_accounts_for_everything() -> None:
    older = Count(Sign.ONLY_ARCHIVE, Standing.BEFORE_MIRROR, 4, 0)
    stranger = Count(Sign.ONLY_BUCKET, Standing.UNKNOWN_OBJECT, 1, 3)
    same = Count(Sign.SAME, Standing.SAME, 9, 3)

    told = closing_sentence(reconciliation(device(counts=(same, older, stranger))))

    assert told.startswith(
        "14 files of 1 device compared, data of 2026-11-22T00:00:00Z to 2026-11-29T00:00:00Z:"
        " 9 same, 4 before-mirror, 1 unknown-object."
    )
    assert "1 object in the bucket that nobody knows" in told
    assert told.endswith("4 files of the time before this mirror began: onc-mirror backfill fetches them.")
