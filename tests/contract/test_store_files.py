"""What holds in a folder beyond what holds in every store."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from onc_mirror.errors import SettingsError, StoreForbiddenError, StoreRejectedError, StoreUnavailableError
from onc_mirror.store import open_store
from onc_mirror.store.folders import explaining
from tests.support.stores import fetched, many_bytes, store_settings
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from onc_mirror.store import ObjectStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "a store"
    folder.mkdir()
    return folder


@pytest.fixture
def store(root: Path) -> Iterator[ObjectStore]:
    with open_store(store_settings(root.as_uri())) as opened:
        yield opened


def test_object_is_a_plain_file(store: ObjectStore, root: Path, tmp_path: Path) -> None:
    store.publish("raw/D/a.hdf5", fetched(tmp_path, b"bytes"), {"grade": "content"})

    assert (root / "raw" / "D" / "a.hdf5").read_bytes() == b"bytes"
    assert not (root / "raw" / "D" / "a.hdf5").is_symlink()


def test_metadata_of_another_state_is_not_believed(store: ObjectStore, root: Path) -> None:
    store.write("a", b"first", "text/plain")
    (root / "a").write_bytes(b"by hand")

    found = store.head("a")

    assert found is not None
    assert (found.size_bytes, dict(found.metadata)) == (7, {})


def test_metadata_survives_a_copy_of_the_folder_with_its_times(
    store: ObjectStore, root: Path, tmp_path: Path
) -> None:
    written = store.write("a/b", b"bytes", "text/plain")
    subprocess.run(["cp", "-a", root, tmp_path / "copy"], check=True)  # noqa: S607 - found on the PATH

    with open_store(store_settings((tmp_path / "copy").as_uri())) as copy:
        assert copy.head("a/b") == written


def test_replaced_and_deleted_objects_leave_no_metadata(store: ObjectStore, root: Path) -> None:
    for body in (b"1", b"22", b"22"):
        store.write("a/b", body, "text/plain")
    assert len([path for path in (root / ".onc-mirror").rglob("*") if path.is_file()]) == 1

    store.delete("a/b")

    assert not [path for path in root.rglob("*") if path.is_file()]
    assert not (root / "a").exists()


def test_own_files_of_the_store_are_no_objects(store: ObjectStore) -> None:
    store.write("a", b"x", "text/plain")

    assert [found.key for found in store.list("")] == ["a"]
    for key in (".onc-mirror", ".onc-mirror/metadata/a"):
        with pytest.raises(StoreRejectedError):
            store.head(key)


def test_folder_where_an_object_should_be_is_refused(store: ObjectStore) -> None:
    store.write("a", b"x", "text/plain")
    store.write("b/c", b"x", "text/plain")

    with pytest.raises(StoreRejectedError):
        store.write("a/b", b"x", "text/plain")
    with pytest.raises(StoreRejectedError):
        store.write("b", b"x", "text/plain")
    with pytest.raises(StoreRejectedError):
        store.write("n" * 256, b"x", "text/plain")
    assert store.head("b") is None


def test_link_out_of_the_folder_is_replaced_and_not_written_through(
    store: ObjectStore, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    (root / "a").symlink_to(outside)

    store.write("a", b"x", "text/plain")

    assert outside.read_bytes() == b"precious"


def test_listing_goes_on_after_a_thousand(store: ObjectStore, root: Path) -> None:
    names = [f"many/{number:04}" for number in range(1003)]
    (root / "many").mkdir()
    for name in names:
        (root / name).touch()

    assert [found.key for found in store.list("many/")] == names


def test_url_must_be_absolute() -> None:
    with pytest.raises(SettingsError, match="file:///"):
        open_store(store_settings("file://relative/folder"))


@pytest.mark.parametrize(
    ("number", "leaf", "remedy"),
    [
        (errno.ENOSPC, StoreUnavailableError, "no room"),
        (errno.EDQUOT, StoreUnavailableError, "quota"),
        (errno.EACCES, StoreForbiddenError, "rights"),
        (errno.EROFS, StoreForbiddenError, "read-only"),
        (errno.ENAMETOOLONG, StoreRejectedError, "this long"),
        (errno.EIO, StoreUnavailableError, "Input/output error"),
    ],
    ids=errno.errorcode.get,
)
def test_errors_of_the_system_say_what_to_do(root: Path, number: int, leaf: type[Exception], remedy: str) -> None:
    with pytest.raises(leaf, match=remedy) as failure, explaining(root, "raw/a"):
        raise OSError(number, os.strerror(number))

    assert "raw/a" in str(failure.value)
    assert str(root) in str(failure.value)


def test_leftovers_that_cannot_be_cleared_are_told_as_every_other_trouble(store: ObjectStore, root: Path) -> None:
    store.write("a", b"x", "text/plain")
    loop = root / ".onc-mirror" / "partial" / "loop"
    loop.symlink_to(loop)

    with pytest.raises(StoreUnavailableError, match="symbolic links"):
        open_store(store_settings(root.as_uri()))


def test_folder_among_the_leftovers_is_left_alone(store: ObjectStore, root: Path) -> None:
    store.write("a", b"x", "text/plain")
    (root / ".onc-mirror" / "partial" / "folder").mkdir()

    with open_store(store_settings(root.as_uri())) as again:
        assert [found.key for found in again.list("")] == ["a"]


def test_folder_that_cannot_be_looked_at_is_told_too() -> None:
    with pytest.raises(StoreRejectedError, match="this long"):
        open_store(store_settings(f"file:///{'n' * 300}"))


PUBLISH_FOR_EVER = """
import sys
from pathlib import Path
from onc_mirror.store.files import FileStore
from tests.support.stores import fetched, many_bytes
store, number = FileStore(sys.argv[1]), 0
while True:
    number += 1
    file = fetched(Path(sys.argv[2]), many_bytes(2_000_000 + number, number))
    store.publish("raw/a", file, {"number": str(number)})
"""


def test_kill_at_any_instant_leaves_a_whole_object_with_its_own_metadata(
    store: ObjectStore, root: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for least in (1, 2, 3):
        writer = subprocess.Popen([sys.executable, "-c", PUBLISH_FOR_EVER, root, scratch])
        wait_until(lambda: len(list(scratch.iterdir())) > least)  # noqa: B023 - called within its turn of the loop
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        for path in scratch.iterdir():
            path.unlink()

        if found := store.head("raw/a"):
            number = int(found.metadata["number"])
            with store.open("raw/a") as stored:
                assert stored.read() == many_bytes(2_000_000 + number, number)

    assert store.head("raw/a") is not None
    assert [found.key for found in store.list("")] == ["raw/a"]
    with open_store(store_settings(root.as_uri())):
        assert not list((root / ".onc-mirror" / "partial").iterdir())


def test_opening_a_store_spares_what_another_process_is_writing(
    store: ObjectStore, root: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen([sys.executable, "-c", PUBLISH_FOR_EVER, root, scratch]) as writer:
        wait_until(lambda: store.head("raw/a") is not None)
        for _ in range(200):
            open_store(store_settings(root.as_uri())).close()
        first = store.head("raw/a")
        wait_until(lambda: store.head("raw/a") != first)

        assert writer.poll() is None
        writer.kill()
