from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.archive import RunningArchive

TOKEN = "0c4na7y0-1234-4bcd-8e9f-a70c3n0c1100"


@pytest.fixture(scope="session")
def one_archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArchive]:
    # Here, as most folders need no archive, and aiohttp takes long to import.
    from infra.sandbox.archive.config import ArchiveConfig  # noqa: PLC0415
    from tests.support.archive import running_archive  # noqa: PLC0415

    with running_archive(tmp_path_factory.mktemp("archive-state"), ArchiveConfig(token=TOKEN)) as archive:
        yield archive


@pytest.fixture
def archive(one_archive: RunningArchive) -> RunningArchive:
    """A stand-in of the archive without faults; the same for all tests of a worker."""
    one_archive.faults.clear()
    one_archive.forget_requests()
    return one_archive
