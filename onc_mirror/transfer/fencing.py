"""The fence around a file that a run works on: once another run has taken it over, this one does nothing more to it.

A run that is suspended (SIGSTOP, a paused virtual machine, a laptop's lid) past its lease knows nothing of that when
it goes on: the version that it has downloaded may be older than what is mirrored by now. So its claim is confirmed,
and prolonged, directly before each change of the store. What is left is the time of that one change: a run that is
suspended between the question and the store's answer may still write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Self

from onc_mirror.errors import ClaimLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from onc_mirror.mirror import Mirror
    from onc_mirror.model import ArchiveFile, Fetched, StoredObject
    from onc_mirror.store import ObjectStore
    from onc_mirror.store.port import Upload


def confirm_claim(mirror: Mirror, file: ArchiveFile, owner: str) -> None:
    """Prolong the claim of the run `owner` on a file.

    Raises:
        ClaimLostError: The file is not the run's any more.
        LedgerUnavailableError: The ledger does not say.
    """
    if not mirror.ledger.claims.keep(file, owner=owner, until=mirror.clock() + mirror.settings.lease):
        raise claim_lost(file)


def claim_lost(file: ArchiveFile) -> ClaimLostError:
    """Say that the file is not the run's any more."""
    return ClaimLostError(
        "Another run has taken it over, as this one was suspended for longer than ONC_MIRROR_LEASE or could not reach"
        " the ledger. Nothing is left to do: the other one brings it to its end.",
        subject=file.filename,
    )


def fenced(mirror: Mirror, file: ArchiveFile, owner: str) -> Mirror:
    """The same parts with a store that asks `confirm_claim` before each change."""
    return mirror.with_store(lambda store: FencedStore(store, lambda: confirm_claim(mirror, file, owner)))


class FencedStore:
    """A store that calls `confirm` before whatever changes it; what that raises goes through, and nothing changes."""

    def __init__(self, store: ObjectStore, confirm: Callable[[], None]) -> None:
        self._store = store
        self._confirm = confirm

    @property
    def url(self) -> str:
        """See `ObjectStore`, as for all others."""
        return self._store.url

    @property
    def part_bytes(self) -> int | None:
        """Pass on."""
        return self._store.part_bytes

    def look(self) -> None:
        """Pass on."""
        self._store.look()

    def head(self, key: str) -> StoredObject | None:
        """Pass on."""
        return self._store.head(key)

    def publish(self, key: str, fetched: Fetched, metadata: Mapping[str, str]) -> StoredObject:
        """Confirm and pass on."""
        self._confirm()
        return self._store.publish(key, fetched, metadata)

    def write(self, key: str, body: bytes, content_type: str) -> StoredObject:
        """Confirm and pass on."""
        self._confirm()
        return self._store.write(key, body, content_type)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Pass on."""
        return self._store.list(prefix)

    def open(self, key: str) -> BinaryIO:
        """Pass on."""
        return self._store.open(key)

    def copy(self, source: str, target: str) -> StoredObject:
        """Confirm and pass on."""
        self._confirm()
        return self._store.copy(source, target)

    def delete(self, key: str) -> None:
        """Confirm and pass on."""
        self._confirm()
        self._store.delete(key)

    def uploads(self) -> Iterator[Upload]:
        """Pass on."""
        return self._store.uploads()

    def abort_upload(self, upload: Upload) -> None:
        """Confirm and pass on."""
        self._confirm()
        self._store.abort_upload(upload)

    def close(self) -> None:
        """Pass on."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
