"""`onc-mirror quarantine`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.ledger import open_ledger
from onc_mirror.model import WRONG_DEVICE, Decision, Outcome
from tests.support.archive_files import archive_file

if TYPE_CHECKING:
    from tests.support.archive import RunningArchive
    from tests.support.console import Console

DEVICE = "TUMSTANDARDMODULE001"
OTHER = "TUMLIDAR001"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
WINDOW = ("--since", "2022-05-02T10:00", "--until", "PT2H")
VICTIM = "TUMSTANDARDMODULE001_20220502T100000.000Z-SDAQ-MODULE.hdf5"
LEDGER_ONLY = {"ONC_TOKEN": None, "ONC_MIRROR_STORE_URL": None, "ONC_MIRROR_ARCHIVE_URL": None}


@pytest.fixture
def crowded(quick_console: Console) -> Console:
    """A ledger with 23 files that were given up, one with bad bytes, one with a bad name, and one of two devices."""
    with open_ledger(f"sqlite:///{quick_console.state / 'ledger.db'}") as ledger:
        ledger.start_run("r", "mirror-hour", NOON)
        ends = [
            Outcome(archive_file(number, DEVICE), Decision.QUARANTINED, "wrong-size", "Given up.")
            for number in range(23)
        ]
        bad = archive_file(99, OTHER)
        ends += [
            Outcome(bad, Decision.QUARANTINED, "truncated-file", "Cut.", key="quarantine/x", sha256="ab" * 32),
            Outcome(archive_file(98, OTHER, filename="../../x.hdf5"), Decision.QUARANTINED, "bad-name", "No key."),
            Outcome(archive_file(97, OTHER, filename="same.hdf5"), Decision.QUARANTINED, WRONG_DEVICE),
            Outcome(archive_file(97, DEVICE, filename="same.hdf5"), Decision.MIRRORED, key="raw/same", sha256="cd"),
        ]
        for number, end in enumerate(ends):
            ledger.record(end, run_id="r", now=NOON + timedelta(minutes=number))
    return quick_console


@pytest.fixture
def bad(quick_console: Console, archive: RunningArchive) -> Console:
    """A mirror of two files of which the archive's own copy of one is bad."""
    number = archive.fault(Kind.BIT_FLIP, filename=VICTIM, endpoint="download")
    assert quick_console.run("mirror", "-d", DEVICE, *WINDOW).code == 3
    archive.faults.remove(number)
    return quick_console


def quarantined(quick_console: Console) -> list[dict[str, object]]:
    files: list[dict[str, object]] = quick_console.run("quarantine", "list", "--json", **LEDGER_ONLY).json["files"]
    return files


def test_list_names_the_oldest_by_device_and_reason_and_all_when_asked(crowded: Console) -> None:
    told = crowded.run("quarantine", "list", **LEDGER_ONLY).out
    every = crowded.run("quarantine", "list", "--all", **LEDGER_ONLY).out
    some = crowded.run("quarantine", "list", "-d", OTHER, "--reason", "truncated-file", "--json", **LEDGER_ONLY)

    assert "Quarantined: the oldest 20 of 26\n" in told
    assert told.count("wrong-size") == 20
    assert "... and 6 more: --all names them.\n" in told
    assert "quarantine/x" in every
    assert every.count("wrong-size") == 23
    (file,) = some.json["files"]
    assert (file["filename"], file["quarantine_key"], file["attempts"], file["since"]) == (
        archive_file(99, OTHER).filename,
        "quarantine/x",
        1,
        "2026-11-22T12:23:00Z",
    )
    assert crowded.run("quarantine", "list", "--reason", "never", **LEDGER_ONLY).out == "Quarantined: no file.\n"


def test_show_tells_everything_the_note_and_the_next_step(bad: Console) -> None:
    told = bad.run("quarantine", "show", VICTIM).out
    known = bad.run("quarantine", "show", VICTIM, "--json").json
    without = bad.run("quarantine", "show", VICTIM, **LEDGER_ONLY)

    for fact in (
        "undecodable-chunk",
        f"quarantine/{DEVICE}/{VICTIM}.",
        "fileSize then",
        "grade passed",
        "archivedDate",
    ):
        assert fact in told
    assert f"'onc-mirror quarantine release {VICTIM} --device {DEVICE}'" in told
    assert known["note"]["reason"] == known["facts"]["reason"] == "undecodable-chunk"
    assert known["note"]["archive_row"]["filename"] == known["archive_row"]["filename"] == VICTIM
    assert without.code == 0
    assert "cannot be read: " in without.out


def test_show_tells_of_a_file_that_is_fine(bad: Console) -> None:
    name = next(iter(bad.mirrored))

    assert "Nothing is left to do." in bad.run("quarantine", "show", name).out


@pytest.mark.parametrize("command", ["show", "retry", "release"])
def test_a_file_that_is_not_known_or_of_two_devices_is_said_in_a_line(crowded: Console, command: str) -> None:
    unknown = crowded.run("quarantine", command, "never.hdf5")
    twice = crowded.run("quarantine", command, "same.hdf5")
    elsewhere = crowded.run("quarantine", command, archive_file(99, OTHER).filename, "--device", DEVICE)

    assert (unknown.code, twice.code, elsewhere.code) == (2, 2, 2)
    assert "The ledger knows no file 'never.hdf5'." in unknown.err
    assert f"2 devices have a file 'same.hdf5': {OTHER}, {DEVICE}. Say which with --device." in twice.err
    assert f" of {DEVICE}." in elsewhere.err
    assert len(unknown.err.splitlines()) == 1


@pytest.mark.parametrize("command", ["retry", "release"])
def test_what_is_not_quarantined_or_refused_for_its_row_stays_and_says_so(crowded: Console, command: str) -> None:
    fine = crowded.run("quarantine", command, "same.hdf5", "--device", DEVICE)
    stray = crowded.run("quarantine", command, "same.hdf5", "--device", OTHER)
    named = crowded.run("quarantine", command, "../../x.hdf5")

    assert (fine.code, stray.code, named.code) == (2, 2, 2)
    assert "is not quarantined but mirrored." in fine.err
    assert "is quarantined for its row (wrong-device)" in stray.err
    assert "is quarantined for its row (bad-name)" in named.err


def test_a_hostile_name_cannot_touch_the_terminal(quick_console: Console) -> None:
    name = "a\x1b[2Jb\n.hdf5"
    with open_ledger(f"sqlite:///{quick_console.state / 'ledger.db'}") as ledger:
        ledger.start_run("r", "mirror-hour", NOON)
        ledger.record(Outcome(archive_file(filename=name), Decision.QUARANTINED, "bad-name"), run_id="r", now=NOON)

    said = [
        quick_console.run("quarantine", *command, **LEDGER_ONLY)
        for command in [("list",), ("show", name), ("retry", name), ("retry", "--all", "-d", OTHER)]
    ]

    assert [answer.code for answer in said] == [0, 0, 2, 0]
    assert all("\x1b" not in answer.out + answer.err for answer in said)
    assert all(r"a\x1b[2Jb\n.hdf5" in answer.out + answer.err for answer in said)


def test_bytes_that_never_came_cannot_be_released(crowded: Console) -> None:
    answer = crowded.run("quarantine", "release", archive_file(3, DEVICE).filename)

    assert answer.code == 2
    assert "was given up (wrong-size) before a whole copy of it came" in answer.err


def test_retry_takes_names_a_reason_or_all_of_a_device(crowded: Console) -> None:
    by_reason = crowded.run("quarantine", "retry", "--reason", "truncated-file", "--json", **LEDGER_ONLY)
    every = crowded.run("quarantine", "retry", "--all", "-d", DEVICE, "-d", OTHER, "--json", **LEDGER_ONLY)
    nothing = crowded.run("quarantine", "retry", "--reason", "truncated-file", **LEDGER_ONLY)

    assert by_reason.json == {"held": [{"device": OTHER, "filename": archive_file(99, OTHER).filename}], "left": []}
    assert len(every.json["held"]) == 23
    assert [file["filename"] for file in every.json["left"]] == ["../../x.hdf5", "same.hdf5"]
    assert (nothing.code, nothing.out) == (0, "No quarantined file is like that; nothing is changed.\n")


@pytest.mark.parametrize("arguments", [(), ("--all",), ("x", "--reason", "r"), ("x", "-d", "a", "-d", "b")])
def test_retry_wants_to_know_exactly_which(crowded: Console, arguments: tuple[str, ...]) -> None:
    answer = crowded.run("quarantine", "retry", *arguments, **LEDGER_ONLY)

    assert (answer.code, answer.out) == (2, "")
    assert len(quarantined(crowded)) == 26


def test_a_retried_file_is_held_and_due_and_says_who_asked(bad: Console) -> None:
    told = bad.run("quarantine", "retry", VICTIM, **LEDGER_ONLY)
    known = bad.run("quarantine", "show", VICTIM, "--json", **LEDGER_ONLY).json["facts"]

    assert told.out.startswith(f"1 file of {DEVICE} held and due: the next run")
    assert f"onc-mirror mirror --device {DEVICE}" in told.out
    assert known["state"].startswith("held since ")
    assert known["what happened"].startswith("An operator asked for another try at ")
    assert (known["reason"], known.get("attempts"), known.get("next try")) == ("undecodable-chunk", None, None)
    assert not quarantined(bad)


def test_release_proves_again_and_lowers_the_grade_only_when_told(bad: Console) -> None:
    refused = bad.run("quarantine", "release", VICTIM)
    assert refused.code == 3
    assert "Not of the grade content; it passes structure." in refused.out
    assert VICTIM not in bad.mirrored
    assert len(quarantined(bad)) == 1

    released = bad.run("quarantine", "release", VICTIM, "--grade", "structure")

    assert released.code == 0
    assert "released" in released.out
    assert VICTIM in bad.mirrored
    assert not quarantined(bad)
    (run, *_) = bad.run("status", "--json").json["runs"]
    assert (run["flow"], run["state"]) == ("release", "completed")


def test_without_a_ledger_there_is_nothing_to_look_at(quick_console: Console) -> None:
    answer = quick_console.run("quarantine", "list", "--json", **LEDGER_ONLY)

    assert answer.code == 2
    assert "There is no ledger at" in json.loads(answer.out)["error"]["detail"]
