from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.frames import listing_frame
from onc_mirror.selection import Selection, excluding_rules
from tests.support.archive_files import archive_file, archive_files, bounded

if TYPE_CHECKING:
    from onc_mirror.model import ArchiveFile

LIDAR = archive_file()


def rule(selection: Selection, file: ArchiveFile = LIDAR) -> str | None:
    (found,) = excluding_rules(listing_frame([file]), selection)
    return found if isinstance(found, str) else None


@bounded
@given(st.lists(archive_files(), max_size=5))
def test_everything_is_wanted_by_default(files: list[ArchiveFile]) -> None:
    rules = excluding_rules(listing_frame(files), Selection())

    assert len(rules) == len(files)
    assert rules.isna().all()


def test_there_is_no_silent_limit_on_size() -> None:
    assert rule(Selection(), archive_file(stored_bytes=2**50)) is None


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        pytest.param(Selection(extensions=frozenset({"hdf5"})), None, id="extension"),
        pytest.param(Selection(extensions=frozenset({"HDF5"})), None, id="extension in another case"),
        pytest.param(Selection(extensions=frozenset({"txt"})), "extension", id="another extension"),
        pytest.param(Selection(products=frozenset({"SMRD"})), None, id="product"),
        pytest.param(Selection(products=frozenset({"smrd"})), "product", id="product in another case"),
        pytest.param(Selection(min_bytes=60_000, max_bytes=60_000), None, id="exactly the size"),
        pytest.param(Selection(min_bytes=60_001), "size", id="too small"),
        pytest.param(Selection(max_bytes=59_999), "size", id="too large"),
        pytest.param(Selection(name_pattern="*-LIDAR.hdf5"), None, id="name"),
        pytest.param(Selection(name_pattern="TUM[A-L]*_2026????T*"), None, id="name with classes"),
        pytest.param(Selection(name_pattern="LIDAR"), "name", id="a part of the name is not the name"),
        pytest.param(Selection(name_pattern="*-lidar.hdf5"), "name", id="name in another case"),
        pytest.param(Selection(extensions=frozenset({"txt"}), max_bytes=1), "extension", id="the first rule speaks"),
    ],
)
def test_each_rule_names_itself(selection: Selection, expected: str | None) -> None:
    assert rule(selection) == expected


def test_a_row_without_a_product_is_no_chosen_product() -> None:
    assert rule(Selection(products=frozenset({"SMRD"})), archive_file(product_code=None)) == "product"


def test_an_unknown_size_is_no_reason_to_leave_a_file_out() -> None:
    assert rule(Selection(min_bytes=1, max_bytes=2), archive_file(stored_bytes=None)) is None


def test_a_name_is_matched_as_a_whole_with_its_line_breaks() -> None:
    file = archive_file(filename="a\nb.hdf5")

    assert re.search("\n", file.filename)
    assert rule(Selection(name_pattern="a*.hdf5"), file) is None
