from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.support.archive import running_archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.archive import RunningArchive

NOON = datetime(2022, 5, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archive-state")


@pytest.fixture(scope="session")
def one_archive(templates: Path) -> Iterator[RunningArchive]:
    with running_archive(templates) as archive:
        yield archive


@pytest.fixture
def archive(one_archive: RunningArchive) -> RunningArchive:
    """Noon of 2022-05-02, no faults, nothing served yet."""
    one_archive.faults.clear()
    one_archive.forget_requests()
    one_archive.set_clock(NOON)
    return one_archive
