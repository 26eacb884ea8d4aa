from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from onc_mirror.store import open_store
from tests.support.memory_store import Bucket, MemoryStore
from tests.support.stores import S3_STORES, STORES, store_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from onc_mirror.store import ObjectStore
    from tests.support.stores import Endpoint


@dataclass(frozen=True)
class Place:
    """An empty bucket or folder.

    Attributes:
        url: Its store URL.
        missing_url: The URL of one that is not there.
    """

    url: str
    missing_url: str

    def open(self, url: str | None = None, **settings: Any) -> ObjectStore:
        return open_store(store_settings(url or self.url, **settings))


@dataclass(frozen=True)
class MemoryPlace(Place):
    """As `Place`, for a bucket in memory.

    Attributes:
        kept: The bucket.
    """

    kept: Bucket

    def open(self, url: str | None = None, **_: Any) -> ObjectStore:
        whole = url or self.url
        prefix = whole.removeprefix(self.url).strip("/")
        there = None if whole == self.missing_url else self.kept
        return MemoryStore(there, url=whole, prefix=f"{prefix}/" if prefix else "")


@pytest.fixture(params=S3_STORES)
def endpoint(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """A running S3 endpoint that the environment points to."""
    found: Endpoint = request.getfixturevalue(request.param)
    found.use(monkeypatch)
    return found


@pytest.fixture
def bucket(endpoint: Endpoint) -> Place:
    """An empty bucket."""
    return Place(f"s3://{endpoint.create_bucket()}", "s3://no-such-bucket")


@pytest.fixture(params=["memory", *STORES])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty bucket or folder of every kind."""
    if request.param == "memory":
        return MemoryPlace("memory://bucket", "memory://no-such-bucket", Bucket())
    if request.param == "file":
        folder = tmp_path / "store"
        folder.mkdir()
        return Place(folder.as_uri(), (tmp_path / "no-such-folder").as_uri())
    found: Endpoint = request.getfixturevalue(request.param)
    found.use(monkeypatch)
    return Place(f"s3://{found.create_bucket()}", "s3://no-such-bucket")


@pytest.fixture
def store(place: Place) -> Iterator[ObjectStore]:
    with place.open() as opened:
        yield opened
