"""Objects as files in a folder, for a mounted disk and for tests, with the same promises as a bucket.

    <root>/<key>                                           the bytes, and nothing but the bytes
    <root>/.onc-mirror/metadata/<key>/<mtime>-<size>.json  metadata of the object with that change time and size
    <root>/.onc-mirror/partial/<random>                    an object being written

An object is written to `partial`, synced, described in `metadata`, and then renamed to its key. The description is
bound to the change time (nanoseconds) and size of the file: whichever file a kill leaves under the key, it is whole
and has its own description or none, never that of another. Copy the folder with its times (`cp -a`, `rsync -a`).

What a bucket can and a folder cannot: hold both `x` and `x/y`, and parts of a key longer than 255 bytes. The folder
itself is never created: an unmounted disk must not fill the one below it.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from onc_mirror.errors import (
    BucketMissingError,
    ObjectMissingError,
    PermanentError,
    StoreRejectedError,
    StoreUnavailableError,
)
from onc_mirror.model import DAMAGED_OBJECT, StoredObject
from onc_mirror.store.body import changed_in_scratch, opened
from onc_mirror.store.folders import Partials, explaining, move, remove_empty, walk
from onc_mirror.store.port import check_key, describe
from onc_mirror.store.sidecars import Sidecars

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from onc_mirror.model import Fetched
    from onc_mirror.store.port import Upload

_OWN = ".onc-mirror"
_CHUNK_BYTES = 2**20


class RottenError(PermanentError):
    """An object to be copied is not what its metadata says. The ledger notes that, so that the next run mends it."""

    reason = DAMAGED_OBJECT
    blames_file = False


class FileStore:
    """`ObjectStore` in a folder.

    Args:
        root: Absolute path of the folder. One that is not there is told when it is used.

    Raises:
        MirrorError: What killed runs left there cannot be cleared away.
    """

    def __init__(self, root: str) -> None:
        self._root = Path(root)
        self._partials = Partials(self._root / _OWN / "partial")
        self._sidecars = Sidecars(self._root / _OWN / "metadata", self._partials)
        with suppress(BucketMissingError), explaining(self._root):
            self._partials.remove_leftovers()

    @property
    def url(self) -> str:
        """As `ObjectStore.url`."""
        return self._root.as_uri()

    @property
    def part_bytes(self) -> None:
        """As `ObjectStore.part_bytes`: a file is written in one go."""

    def look(self) -> None:
        """As `ObjectStore.look`."""
        with explaining(self._root):
            os.scandir(self._root).close()

    def head(self, key: str) -> StoredObject | None:
        """As `ObjectStore.head`."""
        path = self._path(key)
        with explaining(self._root, key):
            try:
                state = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            return self._describe(key, state) if path.is_file() else None

    def publish(self, key: str, fetched: Fetched, metadata: Mapping[str, str]) -> StoredObject:
        """As `ObjectStore.publish`."""
        described = describe(metadata, sha256=fetched.sha256, md5=fetched.md5)
        with opened(fetched, key) as file:
            stored = self._store(key, file, described)
        if stored is None:
            raise changed_in_scratch(fetched, key)
        return stored

    def write(self, key: str, body: bytes, content_type: str) -> StoredObject:  # noqa: ARG002 - folders keep no types
        """As `ObjectStore.write`."""
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        described = describe({}, sha256=hashlib.sha256(body).hexdigest(), md5=md5)
        stored = self._store(key, io.BytesIO(body), described)
        if stored is None:
            raise StoreUnavailableError(f"The folder {self._root} holds other bytes than it was given.", subject=key)
        return stored

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """As `ObjectStore.list`."""
        with explaining(self._root):
            for key, state in walk(self._root, prefix, leave_out=f"{_OWN}/"):
                yield _stored(key, state)

    def open(self, key: str) -> BinaryIO:
        """As `ObjectStore.open`."""
        path = self._path(key)
        with explaining(self._root, key):
            if path.is_dir():
                raise FileNotFoundError(errno.ENOENT, "a folder")
            return path.open("rb")

    def copy(self, source: str, target: str) -> StoredObject:
        """As `ObjectStore.copy`; the bytes go through this process."""
        original = self.head(source)
        if original is None:
            raise ObjectMissingError(f"The folder {self._root} has no such object to copy.", subject=source)
        with self.open(source) as file:
            copied = self._store(target, file, original.metadata)
        if copied is None:
            raise RottenError(
                f"{source} does not have the bytes that its metadata says. They will be kept apart by the next run.",
                subject=target,
            )
        return copied

    def delete(self, key: str) -> None:
        """As `ObjectStore.delete`."""
        path = self._path(key)
        with explaining(self._root, key):
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError):
                return
            self._sidecars.remove_all(key)
            remove_empty(path.parent, self._root)

    def uploads(self) -> Iterator[Upload]:
        """As `ObjectStore.uploads`: a file is written in one go, and what a kill leaves is removed at opening."""
        return iter(())

    def abort_upload(self, upload: Upload) -> None:
        """As `ObjectStore.abort_upload`."""

    def close(self) -> None:
        """As `ObjectStore.close`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _path(self, key: str) -> Path:
        if check_key(key).partition("/")[0] == _OWN:
            raise StoreRejectedError(f"Keys below {_OWN}/ are the store's own.", subject=key)
        return self._root / key

    def _describe(self, key: str, state: os.stat_result) -> StoredObject:
        return replace(_stored(key, state), metadata=self._sidecars.read(key, state))

    def _store(self, key: str, source: BinaryIO, described: Mapping[str, str]) -> StoredObject | None:
        """Store what `source` holds; None, and nothing stored, when it is not what `described` says."""
        path = self._path(key)
        with explaining(self._root, key), self._partials.create() as (file, partial):
            if not _copy(source, file, described):
                return None
            # The clock of the file system ticks in milliseconds; two states of one object must not share a time.
            os.utime(partial, ns=(time.time_ns(), time.time_ns()))
            os.fsync(file.fileno())
            state = partial.stat()
            self._sidecars.write(key, state, described)
            before = path.stat() if path.is_file() else None
            move(partial, path)
            if before is not None:
                self._sidecars.remove(key, before)
            return replace(_stored(key, state), metadata=described)


def _stored(key: str, state: os.stat_result) -> StoredObject:
    return StoredObject(key=key, size_bytes=state.st_size, modified_at=datetime.fromtimestamp(state.st_mtime, UTC))


def _copy(source: BinaryIO, target: BinaryIO, described: Mapping[str, str]) -> bool:
    """Copy all bytes and say whether their hashes are those of `described`, as far as it has any."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    while chunk := source.read(_CHUNK_BYTES):
        sha256.update(chunk)
        md5.update(chunk)
        target.write(chunk)
    target.flush()
    measured = {"sha256": sha256.hexdigest(), "md5": md5.hexdigest()}
    return all(described.get(name, value) == value for name, value in measured.items())
