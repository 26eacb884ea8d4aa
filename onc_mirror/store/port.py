"""What the mirror asks of a store, whichever it is, and the rules for keys and metadata that hold in all of them.

The rules are those of the strictest store we met, so that a mirror can move from one to another: a key is a
relative path without empty, `.` or `..` parts; metadata is ASCII, since S3 sends it in HTTP headers, and at most
2 kB (S3 user guide, "Working with object metadata").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self

from onc_mirror.errors import StoreRejectedError, UnexpectedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from onc_mirror.model import Fetched, StoredObject

MAX_KEY_BYTES = 1024
MAX_METADATA_BYTES = 2048

_METADATA_KEY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# Printable ASCII; HTTP strips blanks at the ends, and request signing folds several blanks into one.
_METADATA_VALUE = re.compile(r"[!-~]+(?: [!-~]+)*")


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload in parts that nobody has ended yet.

    Attributes:
        key: Where it goes, under the store URL.
        upload_id: The store's name for it.
        begun_at: When it began, by the store's clock, UTC.
    """

    key: str
    upload_id: str
    begun_at: datetime


class ObjectStore(Protocol):
    """Objects under keys, each a whole with its metadata. Thread-safe.

    A write under a key that exists replaces it, unconditionally and in one step: a reader gets the old object or
    the new one, never a mix, and of several writers the last one wins. Every write is compared with what the
    store says it holds before it counts as done.

    Every method may raise, besides what it names itself:

        BucketMissingError: The bucket or folder is not there.
        StoreCredentialsError: The store does not accept the credentials, or has not got any.
        StoreForbiddenError: They do not grant the right, or the store does not say why it refuses.
        StoreRejectedError: The store cannot do what was asked, or the key breaks the rules of `check_key`.
        StoreUnavailableError: It did not answer in time, failed, or has no room.
    """

    @property
    def url(self) -> str:
        """The store URL: `s3://bucket[/prefix]` or `file:///folder`."""

    @property
    def part_bytes(self) -> int | None:
        """Files larger than this go up in parts; None where there is no such thing."""

    def look(self) -> None:
        """Do nothing when the bucket or folder is there and may be listed; the cheapest question that says so."""

    def head(self, key: str) -> StoredObject | None:
        """Look up one object; None when there is none."""

    def publish(self, key: str, fetched: Fetched, metadata: Mapping[str, str]) -> StoredObject:
        """Store a file from scratch, of any size in bounded memory, and prove that the store has it.

        Args:
            key: Where it goes.
            fetched: The file and what was measured of it when it was downloaded. Bytes that no longer match are
                not stored.
            metadata: As `describe` wants it; `sha256` and `md5` are added.

        Returns:
            The object as the store describes it afterwards.

        Raises:
            StoreUnavailableError: Also when the bytes in scratch or in the store are not those of `fetched`.
            UnexpectedError: The metadata cannot be stored.
        """

    def write(self, key: str, body: bytes, content_type: str) -> StoredObject:
        """Store a small object, with `sha256` and `md5` as its metadata, and prove that the store has it."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Go through all objects whose key begins with `prefix`, each once, in the order of the keys' UTF-8 bytes.

        Any number of objects in bounded memory. Metadata is not in a listing.
        """

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading from begin to end, in bounded memory. Close it after use.

        Raises:
            ObjectMissingError: There is none.
        """

    def copy(self, source: str, target: str) -> StoredObject:
        """Copy an object with its metadata inside the store; no bytes come here.

        Raises:
            ObjectMissingError: There is no object under `source`.
        """

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error."""

    def uploads(self) -> Iterator[Upload]:
        """Go through the uploads in parts that are not ended, whoever began them; none in a folder."""

    def abort_upload(self, upload: Upload) -> None:
        """End an upload, so that nothing is left of it; one that has ended already is no error."""

    def close(self) -> None:
        """Let go of connections. The store cannot be used afterwards."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def check_key(key: str) -> str:
    """Return `key` when it can be one in every store.

    >>> check_key("raw/TUMLIDAR001/2021/05/03/a.hdf5")
    'raw/TUMLIDAR001/2021/05/03/a.hdf5'

    Raises:
        StoreRejectedError: It is empty or longer than 1024 bytes, begins or ends with `/`, has an empty, `.` or `..`
            part, a control character, or is no valid Unicode.
    """
    if not key.isprintable() or any(part in {"", ".", ".."} for part in key.split("/")):
        raise StoreRejectedError("It cannot be a key.", subject=ascii(key[:80]))
    if len(key.encode()) > MAX_KEY_BYTES:
        raise StoreRejectedError(f"The key is longer than {MAX_KEY_BYTES} bytes.", subject=ascii(key[:80]))
    return key


def describe(metadata: Mapping[str, str], *, sha256: str, md5: str) -> Mapping[str, str]:
    """Return `metadata` with the hashes of the bytes, checked.

    Raises:
        UnexpectedError: A key is not made of lower-case letters, digits and single hyphens; a value is empty, not
            printable ASCII, or has a blank at an end or two in a row; all together is more than 2 kB.
    """
    whole = {**metadata, "sha256": sha256, "md5": md5}
    for name, value in whole.items():
        if not _METADATA_KEY.fullmatch(name):
            raise UnexpectedError(f"No store takes the metadata key {name!a}.")
        if not _METADATA_VALUE.fullmatch(value):
            raise UnexpectedError(f"No store keeps the metadata {name}={value[:80]!a} as it is; escape it first.")
    size = sum(len(name) + len(value) for name, value in whole.items())
    if size > MAX_METADATA_BYTES:
        raise UnexpectedError(f"The metadata has {size} bytes; S3 stores at most {MAX_METADATA_BYTES}.")
    return MappingProxyType(whole)
