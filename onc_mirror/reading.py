"""Reading a stored object from its first byte to its last, in bounded memory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from onc_mirror.errors import ObjectMissingError, StoreUnavailableError
from onc_mirror.model import Fetched
from onc_mirror.scratch import room_on_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from onc_mirror.store import ObjectStore

CHUNK_BYTES = 2**20


def read_chunks(store: ObjectStore, key: str) -> Iterator[bytes]:
    """Go through the bytes of an object.

    Raises:
        ObjectMissingError: There is none.
        MirrorError: The store does not hand it out; also a folder whose disk fails while it is read.
    """
    with store.open(key) as body:
        while True:
            try:
                chunk = body.read(CHUNK_BYTES)
            except OSError as error:
                text = f"It cannot be read ({error.strerror}). Look after the disk of {store.url}."
                failure = StoreUnavailableError(text, subject=key)
            else:
                if not chunk:
                    return
                yield chunk
                continue
            raise failure


def measure(store: ObjectStore, key: str, progress: Callable[[int], None]) -> str:
    """Return the SHA-256 of an object's bytes.

    Args:
        store: Where it is.
        key: Its key.
        progress: Called with the bytes that came since its last call.

    Raises:
        MirrorError: As `read_chunks`.
    """
    digest = hashlib.sha256()
    for chunk in read_chunks(store, key):
        digest.update(chunk)
        progress(len(chunk))
    return digest.hexdigest()


def read_into(store: ObjectStore, key: str, path: Path) -> Fetched | None:
    """Read an object into a file in a scratch slot, measured on the way; None when there is no such object.

    Raises:
        ScratchFullError: The disk has no room for it.
        MirrorError: As `read_chunks`.
    """
    size, sha256, md5 = 0, hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    try:
        with room_on_disk(path), path.open("wb") as sink:
            for chunk in read_chunks(store, key):
                sha256.update(chunk)
                md5.update(chunk)
                size += len(chunk)
                sink.write(chunk)
    except ObjectMissingError:
        return None
    return Fetched(path, size, sha256.hexdigest(), md5.hexdigest())
