"""What a file contains in few words, and what changed between two contents."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.changes import LONGEST_TEXT, Content, content_of, content_text, read_content, what_changed
from onc_mirror.model import Fetched, Grade, Verdict
from tests.support.archive_files import any_text, archive_file, bounded

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = archive_file()
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def content(size_bytes: int = 1000, *, count: int | None = None, **shapes: tuple[int, ...]) -> Content:
    return of_shapes(shapes, size_bytes=size_bytes, count=count)


def of_shapes(shapes: Mapping[str, tuple[int, ...]], *, size_bytes: int = 1000, count: int | None = None) -> Content:
    datasets = [{"path": f"/{name}", "shape": list(shape), "dtype": "int32"} for name, shape in shapes.items()]
    return described(datasets, size_bytes=size_bytes, count=count)


def described(datasets: list[dict[str, Any]], *, size_bytes: int = 1000, count: int | None = None) -> Content:
    found = {"datasets": datasets, "dataset_count": len(datasets) if count is None else count}
    return content_of(FILE, Fetched(Path("x"), size_bytes, "ab", "cd"), Verdict(Grade.CONTENT, found=found))


def test_size_span_and_shapes_are_told_in_one_sentence() -> None:
    was = content(24_000_000, a=(3000, 2), b=(3000, 2), gone=(1,))
    now = replace(content(25_100_000, a=(3600, 2), b=(3600, 2), new=()), ends_at=NOON)

    assert what_changed(was, now) == (
        "Archived again: 24.0 MB became 25.1 MB; its data end at 2026-11-22T12:00:00Z, before at"
        " 2026-11-22T10:05:00Z; 3600x2 int32 instead of 3000x2 int32: /a, /b; new: /new; no more: /gone."
    )


def test_sizes_that_read_the_same_are_told_exactly() -> None:
    assert "24000001 bytes became 24000002" in what_changed(content(24_000_001), content(24_000_002))


def test_other_bytes_of_the_same_description_say_so() -> None:
    told = "Archived again with other bytes; size, time span and shapes are as they were."

    assert what_changed(content(a=(1,)), content(a=(1,))) == told


def test_many_changes_are_told_in_a_bounded_sentence() -> None:
    was = of_shapes({f"{'long' * 50}{number}": (number,) for number in range(150)})
    now = of_shapes({f"{'long' * 50}{number}": (number + 1,) for number in range(50, 250)})

    told = what_changed(was, now)

    assert "and 97 other changes of shapes" in told
    assert len(told) < 2000


def test_a_dataset_count_stands_in_for_datasets_that_are_too_many_to_know() -> None:
    assert "its datasets differ (900 before, 2 now)" in what_changed(
        content(count=900, a=(1,)), content(a=(1,), b=(2,))
    )


def test_where_nothing_was_found_nothing_is_said_of_datasets() -> None:
    unknown = content_of(FILE, Fetched(Path("x"), 1000, "ab", "cd"), Verdict(Grade.SIZE))

    assert what_changed(unknown, content(a=(1,))).startswith("Archived again with other bytes")


@pytest.mark.parametrize("text", [None, "", "[]", "{}", "null", '{"bytes": 1, "begins_at": 7}', "\x00"])
def test_what_is_no_content_is_none(text: str | None) -> None:
    assert read_content(text) is None


@bounded
@given(
    st.lists(
        st.fixed_dictionaries({"path": any_text, "shape": st.none() | st.lists(st.integers(0), max_size=3)}),
        unique_by=lambda dataset: str(dataset["path"]),
    )
)
def test_a_content_comes_back_from_its_text(datasets: list[dict[str, Any]]) -> None:
    first = described(datasets)

    assert read_content(content_text(first)) == first


def test_a_text_is_bounded_and_still_tells_whether_datasets_changed() -> None:
    many = {f"dataset{number}": (number,) for number in range(2000)}
    first, second = of_shapes(many), of_shapes(many | {"dataset7": (8,)})

    text = content_text(first)

    known = read_content(text)
    assert len(text.encode()) <= LONGEST_TEXT
    assert known is not None
    assert what_changed(known, first).startswith("Archived again with other bytes")
    assert "its datasets differ (2000 before, 2000 now)" in what_changed(known, second)


def test_a_later_end_is_compared_as_an_instant() -> None:
    zoned = replace(content(), ends_at=NOON.astimezone(), begins_at=None)
    known = read_content(content_text(zoned))

    assert known is not None
    assert known.ends_at == NOON
    assert "no known time" in what_changed(replace(known, begins_at=NOON - timedelta(hours=1)), known)
