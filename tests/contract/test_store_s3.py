"""What holds in a bucket beyond what holds in every store, on real servers."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.swift.servers import SwiftServers
from onc_mirror.errors import StoreCredentialsError, StoreForbiddenError, StoreUnavailableError
from onc_mirror.store import open_store
from onc_mirror.store.checking import check_store
from onc_mirror.store.s3 import RequestSizes
from onc_mirror.store.s3_opening import open_s3_store
from tests.support.stores import (
    ACCESS_KEY,
    MIB,
    PART_BYTES,
    S3_STORES,
    SECRET_KEY,
    Endpoint,
    fetched,
    many_bytes,
    store_settings,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from onc_mirror.store import ObjectStore
    from tests.contract.conftest import Place

KEY = "raw/D/2021/05/03/a.hdf5"


def name_of(bucket: Place) -> str:
    return bucket.url.removeprefix("s3://")


def test_tag_of_a_file_in_parts_is_that_of_its_parts(bucket: Place, endpoint: Endpoint, tmp_path: Path) -> None:
    body = many_bytes(2 * PART_BYTES + 3)
    parts = [body[begin : begin + PART_BYTES] for begin in range(0, len(body), PART_BYTES)]
    joined = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)

    with bucket.open() as store:
        stored = store.publish(KEY, fetched(tmp_path, body), {})

    assert stored.etag == f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-3"
    assert endpoint.client.head_object(Bucket=name_of(bucket), Key=KEY)["ContentLength"] == len(body)


def test_failed_upload_in_parts_leaves_nothing(bucket: Place, endpoint: Endpoint, tmp_path: Path) -> None:
    file = replace(fetched(tmp_path, many_bytes(2 * PART_BYTES)), sha256="0" * 64)

    with bucket.open() as store, pytest.raises(StoreUnavailableError):
        store.publish(KEY, file, {})

    assert "Uploads" not in endpoint.client.list_multipart_uploads(Bucket=name_of(bucket))
    assert "Contents" not in endpoint.client.list_objects_v2(Bucket=name_of(bucket))


def test_store_refuses_bytes_that_do_not_have_the_md5(bucket: Place, tmp_path: Path) -> None:
    file = replace(fetched(tmp_path, b"good"), md5="0" * 32)

    with bucket.open() as store:
        with pytest.raises(StoreUnavailableError, match="BadDigest"):
            store.publish(KEY, file, {})
        assert store.head(KEY) is None


def test_listing_goes_from_page_to_page(bucket: Place) -> None:
    names = [f"many/{number:02}" for number in range(10)]
    sizes = RequestSizes(PART_BYTES, page_keys=3)
    with open_s3_store(store_settings(f"{bucket.url}/below"), sizes) as store:
        for name in names:
            store.write(name, b"x", "text/plain")

        assert [stored.key for stored in store.list("many/")] == names
        assert [stored.key for stored in store.list("many/0")] == names


@pytest.mark.parametrize("endpoint", S3_STORES[-1:], indirect=True)
def test_listing_goes_on_after_a_thousand(bucket: Place, endpoint: Endpoint) -> None:
    names = [f"many/{number:04}" for number in range(1003)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: endpoint.client.put_object(Bucket=name_of(bucket), Key=name, Body=b""), names))

    with bucket.open() as store:
        assert [stored.key for stored in store.list("many/")] == names


def test_large_copy_goes_in_parts(bucket: Place, tmp_path: Path) -> None:
    body = many_bytes(2 * PART_BYTES + 3)
    with open_s3_store(store_settings(bucket.url), RequestSizes(PART_BYTES, copy_bytes=PART_BYTES)) as store:
        source = store.publish(KEY, fetched(tmp_path, body), {"grade": "content"})
        copied = store.copy(KEY, "copy")
        with store.open("copy") as stored:
            assert stored.read() == body

    assert copied.etag == source.etag
    assert copied.metadata == source.metadata


@pytest.mark.parametrize(
    "wrong", [{"AWS_SECRET_ACCESS_KEY": "wr0ng-secret"}, {"AWS_ACCESS_KEY_ID": "nobody"}], ids=str
)
def test_wrong_credentials_are_named_as_such(
    endpoint: Endpoint, bucket: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
) -> None:
    endpoint.use(monkeypatch, **wrong)
    file = fetched(tmp_path, b"x")

    with bucket.open() as store:
        for attempt in (
            lambda: store.head(KEY),
            lambda: store.publish(KEY, file, {}),
            lambda: list(store.list("")),
            lambda: store.open(KEY),
        ):
            with pytest.raises((StoreCredentialsError, StoreForbiddenError), match="AWS_ACCESS_KEY_ID") as failure:
                attempt()
            assert name_of(bucket) in str(failure.value)
            assert endpoint.url in str(failure.value)
            assert not [secret for secret in ("wr0ng-secret", SECRET_KEY) if secret in repr(failure.value)]
        (finding,) = check_store(store)
    assert finding.name == "bucket"
    assert "does not accept the credentials; check AWS_ACCESS_KEY_ID" in finding.detail
    assert name_of(bucket) in finding.detail
    assert endpoint.url in finding.detail
    assert not finding.remedy


def test_sixty_four_threads_share_a_store(bucket: Place, tmp_path: Path) -> None:
    files = [fetched(tmp_path, many_bytes(1000, seed)) for seed in range(64)]

    with bucket.open() as store, ThreadPoolExecutor(64) as threads:
        stored = list(threads.map(lambda number: store.publish(f"raw/{number}", files[number], {}), range(64)))

    assert [found.metadata["sha256"] for found in stored] == [file.sha256 for file in files]


def test_kill_of_the_server_leaves_every_object_whole_or_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = SwiftServers(tmp_path / "swift", 0, access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    with servers:
        endpoint = Endpoint(servers.url)
        endpoint.use(monkeypatch)
        url = f"s3://{endpoint.create_bucket()}"
        with open_store(store_settings(url, quick_retries=0)) as store, ThreadPoolExecutor(3) as threads:
            acknowledged: set[str] = set()
            ends = [threads.submit(publish_until_failure, store, tmp_path, name, acknowledged) for name in "abc"]
            wait_until(lambda: len(acknowledged) >= 6)
            servers.kill()
            attempted = {key for end in ends for key in end.result()}

        servers.start()
        with open_store(store_settings(url)) as store:
            found = {key for key in attempted if store.head(key)}
            for key in sorted(found):
                with store.open(key) as stored:
                    assert stored.read() == body_of(key)

    assert acknowledged <= found
    assert attempted - acknowledged


def publish_until_failure(store: ObjectStore, folder: Path, name: str, acknowledged: set[str]) -> list[str]:
    """Publish files in one piece and in parts until the store fails, and return all keys that were tried."""
    attempted: list[str] = []
    while True:
        attempted.append(f"{name}/{len(attempted)}")
        try:
            store.publish(attempted[-1], fetched(folder, body_of(attempted[-1])), {})
        except StoreUnavailableError:
            return attempted
        acknowledged.add(attempted[-1])


def body_of(key: str) -> bytes:
    number = int(key.partition("/")[2])
    return many_bytes(3 * MIB if number % 2 else PART_BYTES + MIB, seed=number)
