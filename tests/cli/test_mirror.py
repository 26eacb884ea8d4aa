"""`onc-mirror mirror` in numbers: exit codes, reports, filters, lists."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.report.document import RunReport

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.archive import RunningArchive
    from tests.support.console import Answer, Console

MODULE = "TUMSTANDARDMODULE001"
SPECTROMETER = "TUMPMTSPECTROMETER001"
WINDOW = ("--since", "2022-05-02T11:00", "--until", "PT1H")
MODULE_FILE = "TUMSTANDARDMODULE001_20220502T100000.000Z-SDAQ-MODULE.hdf5"
LOG_FILE = "TUMSTANDARDMODULE001_20220502T100000.000Z.txt"


def report_of(answer: Answer) -> RunReport:
    return RunReport.from_json(answer.out)


def test_a_run_says_what_it_did_and_the_second_has_nothing_to_do(quick_console: Console) -> None:
    first = quick_console.run("mirror", "-d", MODULE, *WINDOW)
    second = quick_console.run("mirror", "-d", MODULE, *WINDOW)

    assert (first.code, first.err) == (0, "")
    span = "listed, archived 2022-05-02T11:00:00Z to 2022-05-02T12:00:00Z"
    assert f"\n2 files of 1 device {span}: 1 mirrored, 1 filtered (1 by extension); " in first.out
    assert first.out.endswith(f"\nMirrored to file://{quick_console.folder}/bucket.\n")
    assert quick_console.mirrored == {MODULE_FILE}
    assert (second.code, second.err) == (0, "")
    assert f"\nNothing new: 2 files of 1 device {span}: 1 already mirrored, 1 filtered" in second.out


def test_json_is_the_report_and_nothing_else(console: Console) -> None:
    answer = console.run("mirror", "-d", MODULE, *WINDOW, "--json")

    report = report_of(answer)
    assert (answer.code, answer.err) == (0, "")
    assert [file.filename for file in report.files] == [MODULE_FILE]
    assert answer.json["window"] == {"since": "2022-05-02T11:00:00Z", "until": "2022-05-02T12:00:00Z"}


@pytest.mark.parametrize(
    ("kind", "fields", "code", "outcome", "reason"),
    [
        (Kind.HTML, {}, 1, "failed", "wrong-body"),
        (Kind.NOT_READY, {}, 3, "held", "not-ready"),
        (Kind.BIT_FLIP, {}, 3, "quarantined", "undecodable-chunk"),
        (Kind.GONE_BETWEEN, {}, 0, "gone", "vanished"),
    ],
)
def test_what_needs_attention_is_told_with_its_reason_and_in_the_exit_code(  # noqa: PLR0913, PLR0917 - a table
    console: Console,
    archive: RunningArchive,
    kind: Kind,
    fields: dict[str, Any],
    code: int,
    outcome: str,
    reason: str,
) -> None:
    archive.fault(kind, filename=MODULE_FILE, **fields)

    answer = console.run("mirror", "-d", MODULE, *WINDOW)

    assert answer.code == code
    waits = [line for line in answer.err.splitlines() if ".life_signs " not in line]
    assert len(waits) == (0 if kind in {Kind.BIT_FLIP, Kind.GONE_BETWEEN} else 1)
    assert all(
        f"WARNING onc_mirror.retrying retry_in_s=0 of='{MODULE_FILE}' attempt=2 attempts=2 reason=" in line
        for line in waits
    )
    told = answer.out.partition("Needs attention")[2]
    (line,) = [line for line in told.splitlines() if line.startswith(MODULE_FILE)]
    assert f"  {outcome} " in line
    assert f"  {reason} " in line
    assert MODULE_FILE not in console.mirrored


def test_a_device_that_cannot_be_listed_fails_the_run_with_the_report_on_stdout(
    console: Console, archive: RunningArchive
) -> None:
    archive.fault(Kind.SERVER_ERROR, device=SPECTROMETER, endpoint="device")

    answer = console.run("mirror", "-d", MODULE, "-d", SPECTROMETER, *WINDOW, "--json")

    report = report_of(answer)
    assert answer.code == 1
    assert [error.device for error in report.errors] == [SPECTROMETER]
    assert report.mirrored == 1
    assert f"device={SPECTROMETER}" in answer.err


def test_a_narrowed_run_leaves_the_watermark_and_the_rest_to_the_next(quick_console: Console) -> None:
    narrowed = quick_console.run("mirror", "-d", SPECTROMETER, *WINDOW, "--name", "*-CAMERA.hdf5", "--json")
    (between,) = quick_console.run("status", "--json").json["devices"]
    whole = quick_console.run("mirror", "-d", SPECTROMETER, *WINDOW, "--json")
    (after,) = quick_console.run("status", "--json").json["devices"]

    assert {file.filename.partition("SDAQ-")[2] for file in report_of(narrowed).files} == {"CAMERA.hdf5"}
    assert between["watermark"] is None
    assert after["watermark"] == "2022-05-02T12:00:00Z"
    assert (report_of(whole).already, report_of(whole).mirrored) == (1, 4)


def test_a_window_that_ends_in_the_future_is_told(quick_console: Console) -> None:
    answer = quick_console.run("mirror", "-d", MODULE, "--until", "2999-01-01", "--json")

    assert answer.code == 0
    assert answer.err == "--until: 2999-01-01T00:00:00Z has not come yet: what there is by now is taken.\n"


def test_devices_are_chosen_by_place_and_kind(quick_console: Console) -> None:
    answer = quick_console.run("mirror", "--location", "STR4", "--category", "STANDARDMODULE", *WINDOW, "--json")

    assert answer.json["devices"] == [MODULE]
    assert answer.code == 0


def test_files_of_a_list_are_mirrored_exactly_and_each_is_accounted_for(quick_console: Console) -> None:
    path = quick_console.folder / "list.csv"
    quick_console.run("list", "-d", MODULE, *WINDOW, "--csv", str(path))
    rows = rows_of(path)
    rows.append(rows[0] | {"filename": "TUMSTANDARDMODULE001_20220502T100000.000Z-NEVER.hdf5"})
    write(path, rows)

    answer = quick_console.run("mirror", "--files", str(path), "--json")

    report = report_of(answer)
    assert answer.code == 0
    assert answer.json["window"] == {"since": None, "until": None}
    assert quick_console.mirrored == {MODULE_FILE, LOG_FILE}
    assert (report.listed, report.mirrored, report.gone) == (3, 2, 1)
    assert [(file.filename, file.reason) for file in report.attention] == [(rows[-1]["filename"], "not-listed")]
    assert quick_console.run("status", "--json").json["devices"][0]["files"]["gone"] == 0


def test_a_held_file_that_its_list_names_and_the_archive_dropped_is_held_no_longer(
    quick_console: Console, archive: RunningArchive
) -> None:
    path = quick_console.folder / "list.csv"
    quick_console.run("list", "-d", MODULE, *WINDOW, "--csv", str(path))
    number = archive.fault(Kind.NOT_READY, filename=MODULE_FILE)
    held = quick_console.run("mirror", "--files", str(path))
    archive.faults.remove(number)
    archive.fault(Kind.VANISHED, filename=MODULE_FILE)

    answer = quick_console.run("mirror", "--files", str(path))

    assert (held.code, answer.code) == (3, 0)
    assert "not-listed" in answer.out
    files = quick_console.run("status", "--json").json["devices"][0]["files"]
    assert (files["held"], files["gone"], files["mirrored"]) == (0, 1, 1)


def test_an_empty_list_mirrors_nothing(quick_console: Console, archive: RunningArchive) -> None:
    path = quick_console.folder / "list.csv"
    path.write_text("device_code,filename\n", encoding="utf-8")

    answer = quick_console.run("mirror", "--files", str(path), "--json")

    assert (answer.code, report_of(answer).listed) == (0, 0)
    assert not archive.requests_for("device")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
