"""What holds in every store."""

from __future__ import annotations

import hashlib
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from onc_mirror.errors import (
    BucketMissingError,
    ObjectMissingError,
    StoreRejectedError,
    StoreUnavailableError,
    UnexpectedError,
)
from onc_mirror.store.checking import check_store
from tests.support.stores import PART_BYTES, fetched, many_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from onc_mirror.store import ObjectStore
    from tests.contract.conftest import Place

KEY = "raw/TUMLIDAR001/2021/05/03/TUMLIDAR001_20210503T000000.000Z-SDAQ-LIDAR.hdf5"
METADATA = {
    "device": "TUMLIDAR001",
    "archived-at": "2021-05-03T02:00:00.000Z",
    "row": '{"a": "b, c; d=%20", "e": [1, 2]}',
    "grade": "content",
}
SIZES = [0, 1, 20_000, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 17]
ODD_KEYS = [
    "a b/c  d.hdf5",
    "plus+equals=at@tilde~.hdf5",
    "percent%41%/%2F.hdf5",
    "query?versionId=1&x#fragment.hdf5",
    "ünïcode-ключ-深海.hdf5",
    "quote'\"<xml>&amp;.hdf5",
    "semi;colon,comma:colon.hdf5",
    "back\\slash|pipe^caret`.hdf5",
    "*star[bracket]{brace}(round)!$.hdf5",
    "_underscore/-dash/.dot./...",
    "long-" + "x" * 230,
]
BAD_KEYS = ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a/.", "a\nb", "a\0b", "\ud800", "k" * 1025, "é" * 513]
BAD_METADATA = [
    {"place": "Straße"},
    {"note": "two\nlines"},
    {"note": " blank"},
    {"note": "two  blanks"},
    {"note": ""},
    {"Upper": "x"},
    {"under_score": "x"},
    {"row": "x" * 2000},
]


def read(store: ObjectStore, key: str) -> bytes:
    with store.open(key) as stored:
        return stored.read()


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [stored.key for stored in store.list(prefix)]


@pytest.mark.parametrize("size", SIZES)
def test_published_file_comes_back_with_its_metadata(store: ObjectStore, tmp_path: Path, size: int) -> None:
    body = many_bytes(size)
    file = fetched(tmp_path, body)
    began = datetime.now(UTC) - timedelta(seconds=2)

    published = store.publish(KEY, file, METADATA)

    assert read(store, KEY) == body
    assert published == store.head(KEY)
    assert (published.key, published.size_bytes) == (KEY, size)
    assert published.metadata == METADATA | {"sha256": file.sha256, "md5": file.md5}
    assert published.modified_at is not None
    assert began <= published.modified_at <= datetime.now(UTC) + timedelta(seconds=2)


def test_written_bytes_come_back_described_by_their_hashes(store: ObjectStore) -> None:
    body = many_bytes(2 * 2**20)

    written = store.write("reports/mirror-hour/run.json", body, "application/json")

    assert read(store, "reports/mirror-hour/run.json") == body
    assert written.metadata["sha256"] == hashlib.sha256(body).hexdigest()


def test_odd_keys_are_kept_as_they_are(store: ObjectStore) -> None:
    for key in ODD_KEYS:
        store.write(key, key.encode(), "text/plain")
        store.copy(key, f"copies/{key}")

    copies = [f"copies/{key}" for key in ODD_KEYS]
    assert keys(store) == sorted([*ODD_KEYS, *copies], key=str.encode)
    assert all(read(store, key) == read(store, f"copies/{key}") == key.encode() for key in ODD_KEYS)

    for key in ODD_KEYS:
        store.delete(key)
    assert keys(store) == sorted(copies, key=str.encode)


PARTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=40).filter(
    lambda part: part not in {".", ".."} and "/" not in part and part.isprintable() and len(part.encode()) < 200
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.lists(PARTS, min_size=1, max_size=3).map("/".join))
def test_any_key_is_found_again(store: ObjectStore, key: str) -> None:
    folder = uuid.uuid4().hex
    whole = f"{folder}/{key}"

    store.write(whole, b"x", "text/plain")

    assert keys(store, f"{folder}/{key[:1]}") == [whole]
    assert store.head(whole) is not None

    store.delete(whole)
    assert keys(store, folder) == []


def test_keys_that_could_mean_something_else_are_refused(store: ObjectStore) -> None:
    for key in BAD_KEYS:
        with pytest.raises(StoreRejectedError):
            store.write(key, b"x", "text/plain")

    assert keys(store) == []


def test_metadata_that_would_not_survive_is_refused(store: ObjectStore, tmp_path: Path) -> None:
    for metadata in BAD_METADATA:
        with pytest.raises(UnexpectedError):
            store.publish(KEY, fetched(tmp_path, b"x"), metadata)

    assert store.head(KEY) is None


VALUES = st.lists(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30), min_size=1
).map(lambda words: " ".join(words)[:200].strip())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    metadata=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8})?", fullmatch=True).filter(lambda name: name != "md5"),
        VALUES,
        max_size=5,
    )
)
@example(metadata={"row": "=?utf-8?q?caf=C3=A9?=", "list": 'a, b;c="d"', "percent": "100%25", "plus": "a+b"})
def test_any_metadata_that_is_taken_survives(store: ObjectStore, tmp_path: Path, metadata: dict[str, str]) -> None:
    store.publish(KEY, fetched(tmp_path, b"x"), metadata)

    found = store.head(KEY)
    assert found is not None
    assert {name: found.metadata[name] for name in metadata} == metadata
    assert set(found.metadata) == {*metadata, "sha256", "md5"}


def test_metadata_may_fill_two_kilobytes(store: ObjectStore, tmp_path: Path) -> None:
    row = "".join(chr(33 + index % 94) for index in range(1900))

    assert store.publish(KEY, fetched(tmp_path, b"x"), {"row": row}).metadata["row"] == row


@pytest.mark.parametrize("size", [3, PART_BYTES + 1])
def test_publishing_again_replaces_bytes_and_metadata(store: ObjectStore, tmp_path: Path, size: int) -> None:
    store.publish(KEY, fetched(tmp_path, many_bytes(2 * PART_BYTES)), METADATA)
    new = many_bytes(size, seed=1)

    store.publish(KEY, fetched(tmp_path, new), {"grade": "open"})

    found = store.head(KEY)
    assert found is not None
    assert set(found.metadata) == {"grade", "sha256", "md5"}
    assert read(store, KEY) == new
    assert keys(store) == [KEY]


def test_missing_object_is_none_to_look_up_and_an_error_to_use(store: ObjectStore) -> None:
    assert store.head(KEY) is None
    store.delete(KEY)
    with pytest.raises(ObjectMissingError, match="TUMLIDAR001"):
        store.open(KEY)
    with pytest.raises(ObjectMissingError, match="TUMLIDAR001"):
        store.copy(KEY, "elsewhere")


def test_missing_bucket_is_never_taken_for_an_empty_one(place: Place, tmp_path: Path) -> None:
    file = fetched(tmp_path, b"x")
    large = fetched(tmp_path, many_bytes(PART_BYTES + 1))

    with place.open(place.missing_url) as store:
        for attempt in (
            store.look,
            lambda: store.head(KEY),
            lambda: store.publish(KEY, file, {}),
            lambda: store.publish(KEY, large, {}),
            lambda: store.write(KEY, b"x", "text/plain"),
            lambda: list(store.list("")),
            lambda: store.open(KEY),
            lambda: store.copy(KEY, "elsewhere"),
            lambda: store.delete(KEY),
        ):
            with pytest.raises(BucketMissingError, match="no-such-") as failure:
                attempt()
            assert "ONC_MIRROR_STORE_URL" in str(failure.value)


@pytest.mark.parametrize("size", [1000, 2 * PART_BYTES + 5])
def test_bytes_that_changed_in_scratch_are_not_stored(store: ObjectStore, tmp_path: Path, size: int) -> None:
    good, bad = many_bytes(size), many_bytes(size, seed=1)
    store.publish(KEY, fetched(tmp_path, good), METADATA)
    changed = replace(fetched(tmp_path, bad), sha256=hashlib.sha256(good).hexdigest())

    with pytest.raises(StoreUnavailableError, match="scratch"):
        store.publish(KEY, changed, METADATA)

    assert read(store, KEY) == good


def test_wrong_md5_is_refused(store: ObjectStore, tmp_path: Path) -> None:
    file = replace(fetched(tmp_path, b"good"), md5=hashlib.md5(b"bad", usedforsecurity=False).hexdigest())

    with pytest.raises(StoreUnavailableError, match="scratch"):
        store.publish(KEY, file, METADATA)

    assert store.head(KEY) is None


def test_vanished_scratch_file_is_a_failure_of_this_file_only(store: ObjectStore, tmp_path: Path) -> None:
    file = fetched(tmp_path, b"x")
    file.path.unlink()

    with pytest.raises(StoreUnavailableError, match="scratch"):
        store.publish(KEY, file, METADATA)


def test_listing_is_by_prefix_and_in_order(store: ObjectStore) -> None:
    names = ["raw/a", "raw/a.b", "raw/a/b", "raw/a0", "raw/B/c", "raw/ä", "raw2/x", "reports/x"]
    stored = [name for name in names if name != "raw/a"]
    for name in stored:
        store.write(name, name.encode(), "text/plain")

    assert keys(store) == sorted(stored, key=str.encode)
    assert keys(store, "raw/") == sorted((name for name in stored if name.startswith("raw/")), key=str.encode)
    assert keys(store, "raw/a") == ["raw/a.b", "raw/a/b", "raw/a0"]
    assert keys(store, "raw/a/b") == ["raw/a/b"]
    assert keys(store, "none") == []
    assert all(found.size_bytes == len(found.key.encode()) and found.modified_at for found in store.list(""))


@pytest.mark.parametrize("size", [1000, PART_BYTES + 1])
def test_copy_has_the_bytes_and_metadata_of_its_source(store: ObjectStore, tmp_path: Path, size: int) -> None:
    body = many_bytes(size)
    source = store.publish(KEY, fetched(tmp_path, body), METADATA)

    copied = store.copy(KEY, "superseded/copy")

    assert copied.metadata == source.metadata
    assert read(store, "superseded/copy") == read(store, KEY) == body


def test_reading_in_pieces_gives_the_whole(store: ObjectStore, tmp_path: Path) -> None:
    body = many_bytes(PART_BYTES + 12345)
    store.publish(KEY, fetched(tmp_path, body), METADATA)

    with store.open(KEY) as stored:
        pieces = list(iter(lambda: stored.read(100_003), b""))

    assert len(pieces) > 50
    assert b"".join(pieces) == body


def test_reading_may_stop_early(store: ObjectStore, tmp_path: Path) -> None:
    store.publish(KEY, fetched(tmp_path, many_bytes(2 * PART_BYTES)), METADATA)

    for _ in range(5):
        with store.open(KEY) as stored:
            assert stored.read(10) == many_bytes(10)

    assert store.head(KEY) is not None


def test_keys_are_below_the_prefix_of_the_url(place: Place) -> None:
    with place.open() as whole:
        whole.write("elsewhere", b"x", "text/plain")
        whole.write("some/where/else", b"x", "text/plain")
        whole.write("some/whereabouts", b"x", "text/plain")
        with place.open(f"{place.url}/some/where") as below:
            assert keys(below) == ["else"]
            below.write("deep/key", b"y", "text/plain")
            below.copy("deep/key", "copied")
            assert keys(below) == ["copied", "deep/key", "else"]
        assert read(whole, "some/where/copied") == b"y"


def test_of_concurrent_writers_one_wins_and_readers_never_see_a_mix(store: ObjectStore, tmp_path: Path) -> None:
    bodies = [many_bytes(size, seed=size) for size in (10, 50_000, 300_000, PART_BYTES + 9)]
    files = [fetched(tmp_path, body) for body in bodies]
    store.publish(KEY, files[0], {})
    over = threading.Event()
    seen: list[bytes] = []

    def watch() -> None:
        while not over.is_set():
            seen.append(read(store, KEY))

    def write(number: int) -> None:
        # Who is replaced before the check says so.
        with suppress(StoreUnavailableError):
            store.publish(KEY, files[number % 4], {"writer": str(number % 4)})

    with ThreadPoolExecutor(7) as threads:
        watcher = threads.submit(watch)
        list(threads.map(write, range(24)))
        over.set()
        watcher.result()

    last = store.head(KEY)
    assert last is not None
    assert read(store, KEY) == bodies[int(last.metadata["writer"])]
    assert len(seen) > 1
    assert all(body in bodies for body in seen)


def test_doctor_finds_a_good_store_good_and_leaves_it_empty(store: ObjectStore) -> None:
    findings = list(check_store(store))

    assert [finding.name for finding in findings] == [
        "bucket",
        *(f"bucket {step}" for step in ("write", "read", "list", "copy", "parts", "uploads", "abort", "delete")),
    ]
    assert all(finding.ok for finding in findings), findings
    assert keys(store) == []


def test_doctor_says_what_to_do_about_a_missing_bucket(place: Place) -> None:
    with place.open(place.missing_url) as store:
        (finding,) = check_store(store)

    assert (finding.name, finding.ok) == ("bucket", False)
    assert "no-such-" in finding.detail
    assert "create" in finding.detail
