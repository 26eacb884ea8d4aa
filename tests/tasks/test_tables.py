"""Tables in the Prefect UI are as long as it can show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from onc_mirror.model import TimeWindow
from onc_mirror.reconcile.findings import DeviceComparison, Difference, Reconciliation
from onc_mirror.reconcile.standing import Sign, Standing
from onc_mirror.settings import load_settings
from tasks import reconciling, tables
from tasks.ending import final_state


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the Prefect server would be given: the server itself is another test's."""
    taken: dict[str, Any] = {}
    monkeypatch.setattr(tables, "create_table_artifact", lambda **artifact: taken.update(artifact))
    return taken


def test_a_table_that_is_too_long_is_cut_and_says_so(shown: dict[str, Any]) -> None:
    rows = [{"file": f"{number}\n"} for number in range(tables.MOST_ROWS + 1)]

    tables.show_table("key", "What waits.", rows, nothing={"file": ""})

    assert len(shown["table"]) == tables.MOST_ROWS
    assert shown["table"][1] == {"file": "1\\n"}
    assert shown["description"] == f"What waits. The first {tables.MOST_ROWS} of {tables.MOST_ROWS + 1}."


def test_no_name_becomes_a_link_an_image_or_a_list_where_the_ui_takes_cells_for_markdown(
    shown: dict[str, Any],
) -> None:
    names = [
        "![a](https://evil.example/seen.png)",
        "<img src=//evil.example>",
        "\\[a](javascript:x)",
        "+",
        "a_1\n-b.hdf5",
    ]

    tables.show_table("key", "What waits.", [{"file": name} for name in names], nothing={"file": ""})

    assert [row["file"] for row in shown["table"]] == [
        "!\\[a\\](https://evil.example/seen.png)",
        "\\<img src=//evil.example>",
        "\\\\\\[a\\](javascript:x)",
        "\\+",
        "a_1\\n-b.hdf5",
    ]


def test_a_table_of_which_only_the_begin_was_read_says_how_many_rows_there_are(shown: dict[str, Any]) -> None:
    tables.show_table("key", "What waits.", [{"file": "a"}], nothing={"file": ""}, total=30_000)

    assert shown["description"] == "What waits. The first 1 of 30000."


def test_a_table_without_rows_still_has_columns(shown: dict[str, Any]) -> None:
    tables.show_table("key", "What waits.", [], nothing={"file": "No file waits."})

    assert (shown["table"], shown["description"]) == ([{"file": "No file waits."}], "What waits.")


def test_no_name_is_longer_than_a_cell_can_show(shown: dict[str, Any]) -> None:
    tables.show_table("key", "What waits.", [{"file": "a" * 200_000}], nothing={"file": ""})

    assert len(shown["table"][0]["file"]) < 2000
    assert len(final_state("a" * 200_000, 1).message or "") < 5000


def test_the_last_row_of_too_many_differences_counts_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, Any] = {}
    monkeypatch.setattr(tables, "create_table_artifact", lambda key, table, **_: shown.update({key: table}))
    monkeypatch.setattr(reconciling, "create_markdown_artifact", lambda **_: None)
    day = datetime(2026, 11, 22, tzinfo=UTC)
    missing = Difference("A", "a.hdf5", Sign.ONLY_ARCHIVE, Standing.MISSING_OBJECT, "raw/A/a", 5, "It is missing.")
    device = DeviceComparison("A", differences=(missing,) * (tables.MOST_ROWS + 4), unnamed=7)
    window = TimeWindow(day, day + timedelta(days=1))

    found = Reconciliation(run_id="r", window=window, devices=(device,), errors=())
    reconciling.show_reconciliation.fn(found, load_settings(token="t", store_url="s3://bucket"))

    rows = shown["reconcile-differences"]
    assert (len(rows), rows[-1]["file"]) == (tables.MOST_ROWS, "and 12 differences more")


def test_a_cell_leads_where_it_is_told_to_whatever_its_text_says(shown: dict[str, Any]) -> None:
    cells = [tables.Link("a](https://evil.example) [b", "https://good.example/a"), tables.Link("[c](d)", None)]

    tables.show_table("key", "Files.", [{"file": cell} for cell in cells], nothing={"file": ""})

    assert [row["file"] for row in shown["table"]] == [
        r"[a\](https://evil.example) \[b](https://good.example/a)",
        r"\[c\](d)",
    ]
