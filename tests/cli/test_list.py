"""`onc-mirror list`, and the same in Python."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click.testing
import pandas as pd
import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.browsing import list_archive
from onc_mirror.cli.browse import list_files
from onc_mirror.frames import COLUMNS, read_csv
from onc_mirror.model import TimeWindow

if TYPE_CHECKING:
    from tests.support.archive import RunningArchive
    from tests.support.console import Console

SPECTROMETER = "TUMPMTSPECTROMETER001"
WINDOW = ("--since", "2022-05-02T11:00", "--until", "PT1H")
README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def environment(quick_console: Console, monkeypatch: pytest.MonkeyPatch) -> Console:
    """The console's variables in this process; no store among them, as looking around needs none."""
    for name, value in quick_console.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ONC_MIRROR_STORE_URL")
    return quick_console


def test_a_listing_is_a_table_with_times_in_utc_and_readable_sizes(quick_console: Console) -> None:
    answer = quick_console.run("list", "-d", SPECTROMETER, *WINDOW, ONC_MIRROR_STORE_URL=None)

    title, heading, _, *rows, end = answer.out.splitlines()
    assert (answer.code, answer.err, end) == (0, "", "")
    assert title.startswith("8 files, ")
    assert title.endswith("archived 2022-05-02T11:00:00Z to 2022-05-02T12:00:00Z")
    assert heading.split() == ["file", "device", "product", "data", "from", "archived", "size"]
    assert len(rows) == 8
    assert all(row.startswith(f"{SPECTROMETER}_20220502T10") and row.endswith(" kB") for row in rows)
    assert not quick_console.state.exists()


def test_csv_on_stdout_is_that_of_the_file(console: Console) -> None:
    path = console.folder / "list.csv"

    piped = console.run("list", "-d", SPECTROMETER, *WINDOW, "--csv", "-")
    written = console.run("list", "-d", SPECTROMETER, *WINDOW, "--csv", str(path))

    assert piped.out == path.read_text(encoding="utf-8")  # both with the line ends of Python
    assert len(read_csv(path)) == 8
    assert (written.code, written.out) == (0, "")
    assert written.err == f"8 files written to {path}.\n"


def test_json_has_iso_times_whole_numbers_and_null(quick_console: Console, archive: RunningArchive) -> None:
    archive.fault(
        Kind.CHANGED_ROWS,
        filename="*-CAMERA.hdf5",
        changes={"fileSize": None, "archivedDate": None},
        without=("path",),
    )

    answer = quick_console.run("list", "-d", SPECTROMETER, *WINDOW, "--json")

    rows = {row["filename"].partition("000Z")[2]: row for row in answer.json}
    assert len(rows) == 8
    assert list(rows["-SDAQ-CAMERA.hdf5"]) == list(COLUMNS)
    assert rows["-SDAQ-CAMERA.hdf5"]["stored_bytes"] is None
    assert rows["-SDAQ-CAMERA.hdf5"]["archived_at"] is None
    assert rows["-SDAQ-MODULE.hdf5"]["begins_at"] == "2022-05-02T10:00:00.000Z"
    assert isinstance(rows["-SDAQ-MODULE.hdf5"]["expected_bytes"], int)
    assert rows[".txt"]["row"]["compression"] == "gz"


def test_nothing_found_is_an_empty_list(quick_console: Console) -> None:
    nothing = ("list", "-d", SPECTROMETER, *WINDOW, "-e", "nosuch")

    assert quick_console.run(*nothing, "--json").json == []
    assert quick_console.run(*nothing).out.startswith("0 files, 0 B, archived ")


def test_hostile_names_cannot_touch_the_terminal(quick_console: Console, archive: RunningArchive) -> None:
    archive.fault(Kind.EXTRA_ROWS, device=SPECTROMETER)

    answer = quick_console.run("list", "-d", SPECTROMETER, *WINDOW)

    assert answer.code == 0
    assert "\\x00" in answer.out
    assert "\\u202e" in answer.out
    assert answer.out.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("options", "products"),
    [
        ((), {"LF", "PMTRD", "MSSCD", "MSSD", "SMRD", "PMTSD", "PMTTC", "PMTTOT"}),
        (("-e", "hdf5"), {"MSSCD", "MSSD", "SMRD", "PMTSD", "PMTTC"}),
        (("--extension", ".TXT", "-e", "hld"), {"LF", "PMTTOT", "PMTRD"}),
        (("--product", "SMRD", "--product", "LF"), {"SMRD", "LF"}),
        (("--product-name", "log file"), {"LF"}),
        (("--product-name", "standard module"), {"SMRD"}),
        (("--min-size", "50kB"), {"SMRD", "PMTSD"}),
        (("--min-size", "20000", "--max-size", "30 kB"), {"MSSCD", "PMTRD"}),
        (("--name", "*-SDAQ-P*"), {"PMTSD"}),
        (("--name", "*-sdaq-p*"), set()),
        (("-e", "hdf5", "--min-size", "50kB", "--name", "*MODULE*"), {"SMRD"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_filters_keep_what_they_say(
    environment: Console, archive: RunningArchive, options: tuple[str, ...], products: set[str]
) -> None:
    arguments = ["-d", SPECTROMETER, *WINDOW, *options, "--json"]

    answer = click.testing.CliRunner().invoke(list_files, arguments, catch_exceptions=False)

    assert {row["product_code"] for row in json.loads(answer.stdout)} == products
    assert archive.requests_for("device")
    assert environment.environment["ONC_TOKEN"] not in answer.output


def test_data_time_and_archive_time_are_two_windows(quick_console: Console) -> None:
    archived = quick_console.run("list", "-d", SPECTROMETER, *WINDOW, "--json").json
    by_data = quick_console.run("list", "-d", SPECTROMETER, *WINDOW, "--by-data-time", "--json").json

    assert {row["begins_at"] for row in archived} == {"2022-05-02T10:00:00.000Z"}
    assert {row["begins_at"] for row in by_data} == {"2022-05-02T11:00:00.000Z"}


def test_the_two_lines_of_python_give_what_the_console_gives(environment: Console) -> None:
    window = TimeWindow(datetime(2022, 5, 2, 11, tzinfo=UTC), datetime(2022, 5, 2, 12, tzinfo=UTC))

    frame = list_archive(SPECTROMETER, since=window.since, until="PT1H")

    answer = environment.run("list", "-d", SPECTROMETER, *WINDOW, "--json")
    assert list(frame["filename"]) == [row["filename"] for row in answer.json]
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        name: str(kind) if kind is not object else "object" for name, kind in COLUMNS.items()
    }
    assert (frame["archived_at"] >= window.since).all()
    assert frame["expected_bytes"].sum() == sum(row["expected_bytes"] for row in answer.json)


def test_the_recipe_of_the_readme_runs(environment: Console) -> None:
    (recipe,) = [
        block.partition("```")[0]
        for block in README.read_text(encoding="utf-8").split("```python\n")[1:]
        if "list_archive" in block
    ]
    names: dict[str, object] = {}

    exec(recipe, names)  # noqa: S102 - it is ours

    assert environment.environment["ONC_TOKEN"]
    assert isinstance(names["frame"], pd.DataFrame)
    assert len(recipe.strip().splitlines()) <= 3
