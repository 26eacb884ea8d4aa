"""A store in memory: `ObjectStore` for tests that make thousands of runs. The contract suite holds it to the others.

What outlives a process is the `Bucket`; a `MemoryStore` is one process's way to it. A hook hears of every call before
anything happens and after all of it has, and may raise there: a `MirrorError` is a store in trouble (after the call:
one whose answer was lost), a `BaseException` of its own is the end of the process.
"""

from __future__ import annotations

import hashlib
import io
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, Self

from onc_mirror.errors import BucketMissingError, ObjectMissingError
from onc_mirror.model import StoredObject
from onc_mirror.store.body import changed_in_scratch, opened
from onc_mirror.store.port import check_key, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from onc_mirror.model import Fetched
    from onc_mirror.store.port import Upload

    Hook = Callable[["Call"], None]

CHANGING = frozenset({"publish", "write", "copy", "delete"})
"""Calls that change the bucket."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a store, as its hook hears of it.

    Attributes:
        name: The method.
        key: Its key or prefix; of a copy, the target.
        done: Whether it has happened.
    """

    name: str
    key: str
    done: bool

    @property
    def changes(self) -> bool:
        return self.name in CHANGING


@dataclass(frozen=True, slots=True)
class Held:
    """An object: its bytes, and how the store describes it."""

    body: bytes
    described: StoredObject


@dataclass(slots=True)
class Bucket:
    """What is kept, whoever comes and goes.

    Attributes:
        objects: By whole key.
    """

    objects: dict[str, Held] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def below(self, prefix: str) -> dict[str, Held]:
        """The objects whose keys begin with `prefix`."""
        with self.lock:
            return {key: held for key, held in self.objects.items() if key.startswith(prefix)}


class MemoryStore:
    """`ObjectStore` in a bucket in memory, below a prefix.

    Args:
        bucket: Where; None is a bucket that is not there.
        url: What it calls itself.
        prefix: Goes in front of every key; empty, or ending with a slash.
        hook: Hears of every call.
    """

    def __init__(
        self, bucket: Bucket | None, *, url: str = "memory://bucket", prefix: str = "", hook: Hook | None = None
    ) -> None:
        self._bucket = bucket
        self._url = url
        self._prefix = prefix
        self._hook = hook

    @property
    def url(self) -> str:
        return self._url

    @property
    def part_bytes(self) -> None:
        return None

    def look(self) -> None:
        with self._called("look", ""):
            pass

    def head(self, key: str) -> StoredObject | None:
        with self._called("head", key) as objects:
            held = objects.get(self._full(key))
        return None if held is None else self._described(held)

    def publish(self, key: str, fetched: Fetched, metadata: Mapping[str, str]) -> StoredObject:
        described = describe(metadata, sha256=fetched.sha256, md5=fetched.md5)
        with self._called("publish", key) as objects:
            with opened(fetched, key) as file:
                body = file.read()
            if _hashes(body) != (fetched.sha256, fetched.md5):
                raise changed_in_scratch(fetched, key)
            objects[self._full(key)] = held = _held(self._full(key), body, described)
        return self._described(held)

    def write(self, key: str, body: bytes, content_type: str) -> StoredObject:  # noqa: ARG002 - memory keeps no types
        sha256, md5 = _hashes(body)
        with self._called("write", key) as objects:
            objects[self._full(key)] = held = _held(self._full(key), body, describe({}, sha256=sha256, md5=md5))
        return self._described(held)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        with self._called("list", prefix) as objects:
            whole = self._prefix + prefix
            found = sorted((key for key in objects if key.startswith(whole)), key=str.encode)
            listed = [objects[key].described for key in found]
        for one in listed:
            yield StoredObject(one.key.removeprefix(self._prefix), one.size_bytes, modified_at=one.modified_at)

    def open(self, key: str) -> BinaryIO:
        with self._called("open", key) as objects:
            return io.BytesIO(self._present(objects, key).body)

    def copy(self, source: str, target: str) -> StoredObject:
        with self._called("copy", target) as objects:
            original = self._present(objects, source)
            held = _held(self._full(target), original.body, original.described.metadata)
            objects[self._full(target)] = held
        return self._described(held)

    def delete(self, key: str) -> None:
        with self._called("delete", key) as objects:
            objects.pop(self._full(key), None)

    def uploads(self) -> Iterator[Upload]:
        return iter(())

    def abort_upload(self, upload: Upload) -> None:
        """Nothing is uploaded in parts."""

    def close(self) -> None:
        """Nothing to let go of."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _called(self, name: str, key: str) -> Iterator[dict[str, Held]]:
        """Give the block the objects to itself, between the two moments of the hook."""
        if self._hook is not None:
            self._hook(Call(name, key, done=False))
        if self._bucket is None:
            raise BucketMissingError(
                f"There is no {self._url}; create it, or check ONC_MIRROR_STORE_URL.", subject=key
            )
        with self._bucket.lock:
            yield self._bucket.objects
        if self._hook is not None:
            self._hook(Call(name, key, done=True))

    def _present(self, objects: Mapping[str, Held], key: str) -> Held:
        held = objects.get(self._full(key))
        if held is None:
            raise ObjectMissingError(f"{self._url} has no such object.", subject=key)
        return held

    def _full(self, key: str) -> str:
        return check_key(self._prefix + check_key(key))

    def _described(self, held: Held) -> StoredObject:
        one = held.described
        key = one.key.removeprefix(self._prefix)
        return StoredObject(key, one.size_bytes, one.metadata, etag=one.etag, modified_at=one.modified_at)


def _held(full: str, body: bytes, metadata: Mapping[str, str]) -> Held:
    kept = MappingProxyType(dict(metadata))
    return Held(body, StoredObject(full, len(body), kept, etag=kept["md5"], modified_at=datetime.now(UTC)))


def _hashes(body: bytes) -> tuple[str, str]:
    return hashlib.sha256(body).hexdigest(), hashlib.md5(body, usedforsecurity=False).hexdigest()
