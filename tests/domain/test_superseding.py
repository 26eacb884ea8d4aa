"""What was replaced is kept whole, also where something else than the mirror has put it there."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from onc_mirror.errors import StoreUnavailableError
from onc_mirror.model import ArchiveFile, ProvenObject
from onc_mirror.store.files import FileStore
from onc_mirror.transfer.superseding import keep_rival, retire

if TYPE_CHECKING:
    from pathlib import Path

    from onc_mirror.model import StoredObject

FILE = ArchiveFile("a.hdf5", "TUMLIDAR001")
OLD_KEY = "raw/TUMLIDAR001/2022/05/01/a.hdf5"
OLD = b"old bytes"
OLD_SHA = hashlib.sha256(OLD).hexdigest()
KEPT_KEY = f"superseded/TUMLIDAR001/a.hdf5.{OLD_SHA[:8]}"


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(str(tmp_path))


def keys(store: FileStore) -> list[str]:
    return [found.key for found in store.list("")]


def put_undescribed(tmp_path: Path, body: bytes) -> None:
    (tmp_path / OLD_KEY).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / OLD_KEY).write_bytes(body)


def test_two_undescribed_copies_are_kept_apart(store: FileStore, tmp_path: Path) -> None:
    put_undescribed(tmp_path, OLD)
    first = keep_rival(store, FILE, OLD_KEY, "0" * 64)
    put_undescribed(tmp_path, b"older bytes")
    second = keep_rival(store, FILE, OLD_KEY, "0" * 64)

    assert first == KEPT_KEY
    assert second is not None
    assert sorted(keys(store)) == sorted([OLD_KEY, first, second])


def test_the_same_bytes_are_no_rival(store: FileStore, tmp_path: Path) -> None:
    assert keep_rival(store, FILE, OLD_KEY, OLD_SHA) is None
    put_undescribed(tmp_path, OLD)

    assert keep_rival(store, FILE, OLD_KEY, OLD_SHA) is None
    assert keys(store) == [OLD_KEY]


def test_an_undescribed_copy_with_the_bytes_that_the_ledger_knows_is_moved(store: FileStore, tmp_path: Path) -> None:
    put_undescribed(tmp_path, OLD)

    assert retire(store, FILE, ProvenObject(OLD_KEY, OLD_SHA)) == KEPT_KEY
    assert keys(store) == [KEPT_KEY]
    assert retire(store, FILE, ProvenObject(OLD_KEY, OLD_SHA)) is None


class Forgetful(FileStore):
    """Says of each copy that it is a byte longer."""

    def copy(self, source: str, target: str) -> StoredObject:
        copied = super().copy(source, target)
        return replace(copied, size_bytes=copied.size_bytes + 1)


def test_nothing_is_deleted_while_its_copy_is_not_proven(tmp_path: Path) -> None:
    store = Forgetful(str(tmp_path))
    store.write(OLD_KEY, OLD, "application/octet-stream")

    with pytest.raises(StoreUnavailableError, match="is not what it was copied from"):
        retire(store, FILE, ProvenObject(OLD_KEY, OLD_SHA))

    assert OLD_KEY in keys(store)
