"""What a store needs of a file system: whole files or none, ordered walks, errors that say what to do."""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from onc_mirror.errors import (
    BucketMissingError,
    MirrorError,
    ObjectMissingError,
    StoreForbiddenError,
    StoreRejectedError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RENAMES = 10

_BY_ERRNO: dict[int, tuple[type[MirrorError], str]] = {
    errno.ENOENT: (ObjectMissingError, "has no such object"),
    errno.EISDIR: (StoreRejectedError, "has a folder where this key needs an object"),
    errno.ENOTDIR: (StoreRejectedError, "has an object where this key needs a folder"),
    errno.EEXIST: (StoreRejectedError, "has an object where this key needs a folder"),
    errno.ENAMETOOLONG: (StoreRejectedError, "does not take a name this long"),
    errno.EACCES: (StoreForbiddenError, "does not grant access; check its owner and rights"),
    errno.EPERM: (StoreForbiddenError, "does not grant access; check its owner and rights"),
    errno.EXDEV: (StoreRejectedError, "has another file system mounted in it; put the store on one"),
    errno.EROFS: (StoreForbiddenError, "is mounted read-only"),
    errno.ENOSPC: (StoreUnavailableError, "has no room left; free some"),
    errno.EDQUOT: (StoreUnavailableError, "has no room left; raise the quota"),
}


@contextmanager
def explaining(root: Path, key: str | None = None) -> Iterator[None]:
    """Do something below `root`, and raise errors of the system as the mirror's.

    Raises:
        BucketMissingError: There is no folder `root`.
        MirrorError: Whatever else went wrong.
    """
    try:
        if not root.is_dir():
            raise BucketMissingError(
                f"The folder {root} is not there; create or mount it, or check ONC_MIRROR_STORE_URL."
            )
        yield
    except OSError as error:
        leaf, text = _BY_ERRNO.get(error.errno or 0, (StoreUnavailableError, f"fails: {error.strerror}"))
        raise leaf(f"The folder {root} {text}.", subject=key) from None


class Partials:
    """Files being written, in one folder, so that those of killed processes can be told from those of living ones.

    Each is locked by its writer; the system lets go of the lock when the writer dies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def remove_leftovers(self) -> None:
        """Delete the files that nobody is writing any more."""
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            try:
                with path.open("r+b") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
            except (FileNotFoundError, BlockingIOError, IsADirectoryError):
                continue  # its writer has finished, or lives, or it is none of ours

    @contextmanager
    def create(self) -> Iterator[tuple[BinaryIO, Path]]:
        """Open a new file for writing, and delete it at the end unless it was moved."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file, path = self._claim()
        try:
            with file:
                yield file, path
        finally:
            path.unlink(missing_ok=True)

    def _claim(self) -> tuple[BinaryIO, Path]:
        while True:
            path = self._folder / uuid.uuid4().hex
            file = path.open("xb")
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                return file, path
            # `remove_leftovers` was here before the lock.
            file.close()


def move(source: Path, target: Path) -> None:
    """Put a complete file in place of `target` in one step, and have the disk remember it."""
    changed = {target.parent, *(folder.parent for folder in target.parents if not folder.exists())}
    for attempt in range(_RENAMES):
        # `remove_empty` may take the folder away again before the file is in it.
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            source.replace(target)
        except FileNotFoundError:
            if attempt == _RENAMES - 1 or not source.exists():
                raise StoreUnavailableError(
                    "The file vanished while it was stored; it will be tried again."
                ) from None
        else:
            break
    for folder in changed:
        _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_empty(folder: Path, top: Path) -> None:
    """Remove `folder` and those above it while they are empty, up to but without `top`."""
    for empty in (folder, *folder.parents):
        if empty == top:
            return
        try:
            empty.rmdir()
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
                raise
            if error.errno != errno.ENOENT:
                return


def walk(folder: Path, prefix: str, *, leave_out: str, under: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Go through the files below `folder` whose path begins with `prefix`, in the order of the UTF-8 of their paths.

    Memory: the names of the folders on one path. Left out are files that vanish meanwhile or have no printable name.

    Args:
        folder: Where to begin.
        prefix: Of the paths, as text: it need not end with a name.
        leave_out: Path of a folder, ending with a slash, that is not entered.
        under: Path of `folder` itself, for the recursion.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted((f"{entry.name}/" if entry.is_dir() else entry.name, entry) for entry in found)
    except FileNotFoundError:
        return
    for name, entry in entries:
        path = under + name
        if name.endswith("/"):
            if path != leave_out and (path.startswith(prefix) or prefix.startswith(path)):
                yield from walk(folder / entry.name, prefix, leave_out=leave_out, under=path)
        elif path.startswith(prefix) and path.isprintable() and entry.is_file():
            try:
                yield path, entry.stat()
            except FileNotFoundError:
                continue
