from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.archive import running_archive
from tests.support.mirrors import bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.archive import RunningArchive
    from tests.support.mirrors import Bench


@pytest.fixture
def mirror(archive: RunningArchive, tmp_path: Path) -> Bench:
    return bench(archive, tmp_path)


@pytest.fixture
def lone_mirror(tmp_path: Path) -> Iterator[Bench]:
    """A mirror of an archive that no other test uses: what is done to it cannot be undone at once."""
    with running_archive(tmp_path / "archive-state") as archive:
        yield bench(archive, tmp_path)
