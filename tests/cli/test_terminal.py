"""What people see in a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra.sandbox.archive.faults import Kind
from tests.support.raw_server import unused_url

if TYPE_CHECKING:
    from tests.support.archive import RunningArchive
    from tests.support.console import Answer, Console

DEVICE = "TUMPMTSPECTROMETER001"
VICTIM = f"{DEVICE}_20220502T100000.000Z-SDAQ-MODULE.hdf5"
FIVE_FILES = ("mirror", "-d", DEVICE, "--since", "2022-05-02T11:00", "--until", "PT1H")
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def frames(answer: Answer) -> list[str]:
    """What stood in the terminal, line by line, drawn over or not."""
    return [line for line in re.split(r"[\r\n]+", ANSI.sub("", answer.out)) if line.strip()]


def test_the_progress_bar_shows_files_bytes_speed_and_time_left(console: Console, archive: RunningArchive) -> None:
    archive.fault(Kind.SLOW, endpoint="download", bytes_per_second=40_000)

    answer = console.run_in_terminal(*FIVE_FILES, columns=100)

    bars = [line for line in frames(answer) if " of 5 files" in line]
    assert answer.code == 0
    assert any(re.search(r"[0-4] of 5 files .*[\d.]+/[\d.]+ kB [\d.]+ kB/s 0:00:\d\d", line) for line in bars)
    assert all(len(line) <= 100 for line in bars)


def test_what_a_run_waits_for_is_told_in_a_sentence_beside_the_bar(console: Console) -> None:
    answer = console.run_in_terminal(*FIVE_FILES, columns=100, ONC_MIRROR_ARCHIVE_URL=unused_url())

    said = " ".join(frames(answer))
    assert answer.code == 1
    assert re.search(r"127\.0\.0\.1 refuses it at port \d+\. .* Trying again in 0 s \(attempt 2 of 2\)\.", said)
    assert "retry_in_s" not in said
    assert [line for line in frames(answer) if "asking the archive" in line and "Trying again" in line] == []


def test_a_narrow_terminal_cuts_no_word(console: Console, archive: RunningArchive) -> None:
    archive.fault(Kind.NOT_READY, filename=VICTIM)

    answer = console.run_in_terminal(*FIVE_FILES, columns=60)

    lines = frames(answer)
    assert answer.code == 3
    assert [line for line in lines if len(line) > 60 and VICTIM not in line and "Mirrored to file:" not in line] == []
    told = " ".join(" ".join(lines).partition("Needs attention")[2].split())
    assert f"{VICTIM} outcome: held, reason: not-ready, what happened:" in told
    assert "It will be tried again." in told


def test_columns_that_say_nothing_give_way_first(console: Console) -> None:
    answer = console.run_in_terminal(*FIVE_FILES, columns=80)

    (heading,) = [line for line in frames(answer) if line.startswith("device ")]
    assert heading.split() == ["device", "listed", "mirrored", "filtered", "transferred"]


def test_the_last_column_folds_while_it_has_room(console: Console) -> None:
    answer = console.run_in_terminal("products", "-d", DEVICE, columns=70)
    narrow = console.run_in_terminal("devices", "-d", DEVICE, columns=40)

    assert any(line.startswith(f"{DEVICE}  SMRD     hdf5") for line in frames(answer))
    assert frames(narrow)[1] == DEVICE
    assert "    location: STR2, category:" in frames(narrow)


def test_no_escape_sequence_reaches_a_pipe(console: Console) -> None:
    answer = console.run(*FIVE_FILES)

    assert answer.code == 0
    assert "\x1b" not in answer.out + answer.err
