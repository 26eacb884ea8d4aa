from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.archive import running_archive
from tests.support.mirrors import bench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.archive import RunningArchive
    from tests.support.mirrors import Bench
    from tests.support.stores import Endpoint


@pytest.fixture
def mirror(archive: RunningArchive, tmp_path: Path) -> Bench:
    return bench(archive, tmp_path)


@pytest.fixture
def bench_in(
    request: pytest.FixtureRequest, archive: RunningArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Bench]:
    """Set up a mirror into a kind of store, in a bucket of its own: `bench_in("swift", layout="raw")`."""

    def made(store: str, **overrides: Any) -> Bench:
        if store != "file":
            endpoint: Endpoint = request.getfixturevalue(store)
            endpoint.use(monkeypatch)
            overrides["store_url"] = f"s3://{endpoint.create_bucket()}/mirror"
        return bench(archive, tmp_path, **overrides)

    return made


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where archives that no other test uses find the files that others of them have made."""
    return tmp_path_factory.mktemp("lone-archives")


@pytest.fixture
def lone_mirror(templates: Path, tmp_path: Path) -> Iterator[Bench]:
    """A mirror of an archive that no other test uses: what is done to it cannot be undone at once."""
    with running_archive(templates) as archive:
        yield bench(archive, tmp_path)
