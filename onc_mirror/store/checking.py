"""Trying out a store before a run depends on it: everything that a mirror does to one, in a scratch prefix."""

from __future__ import annotations

import hashlib
import os
import tempfile
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from onc_mirror.errors import MirrorError, StoreForbiddenError, StoreRejectedError, StoreUnavailableError
from onc_mirror.model import Fetched
from onc_mirror.store.port import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onc_mirror.store.port import ObjectStore

SCRATCH = ".onc-mirror-doctor"
_SMALL_BYTES = 4096
# There is none of that name, and a store that would let us abort it says no more than that.
_NO_UPLOAD = "2~onc-mirror-doctor-has-begun-none"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw.

    Attributes:
        name: What was looked at.
        ok: Whether it is as it should be.
        detail: What was seen, one sentence.
        remedy: What to do about it; empty when it is ok, or when `detail` says it.
        wrong_setting: Whether a setting is missing or cannot be used.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    wrong_setting: bool = False


def check_store(store: ObjectStore) -> Iterator[Finding]:
    """Ask, write, read back, list, copy, upload in parts, abort, delete: a finding for each. Leaves no object behind.

    What cannot mean anything after a bad finding is left out: all of it in a store that is not there or does not know
    the credentials, all but the asking in one that cannot be written to.
    """
    trial = _Trial(store)
    checks: tuple[tuple[str, Callable[[], str], str], ...] = (
        ("bucket", trial.ask, "s3:ListBucket"),
        ("bucket write", trial.write, "s3:PutObject"),
        ("bucket read", trial.read, "s3:GetObject"),
        ("bucket list", trial.list, "s3:ListBucket"),
        ("bucket copy", trial.copy, "s3:GetObject and s3:PutObject"),
        ("bucket parts", trial.upload_parts, "s3:PutObject"),
        ("bucket uploads", trial.list_uploads, "s3:ListBucketMultipartUploads"),
        ("bucket abort", trial.abort_upload, "s3:AbortMultipartUpload"),
        ("bucket delete", trial.delete, "s3:DeleteObject"),
    )
    try:
        for name, check, right in checks:
            try:
                yield Finding(name, ok=True, detail=check())
            except MirrorError as error:
                forbidden = isinstance(error, StoreForbiddenError)
                missing = "s3:GetObject" if check == trial.write and forbidden and not trial.may_look() else right
                yield _bad(name, error, missing if forbidden and store.url.startswith("s3:") else "")
                if check == trial.write or (check == trial.ask and not forbidden):
                    return
    finally:
        trial.clear()


def _bad(name: str, error: MirrorError, missing_right: str) -> Finding:
    # Errors begin with the key that they are about, here one of the trial's own.
    detail = str(error).removeprefix(f"{error.subject}: ")
    return Finding(name, ok=False, detail=detail, remedy=f"Missing is {missing_right}." if missing_right else "")


class _Trial:
    """The steps of one check, in the order in which they need each other."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._prefix = f"{SCRATCH}/{uuid.uuid4().hex}/"
        self._body = os.urandom(_SMALL_BYTES)
        self._keys: list[str] = []

    def ask(self) -> str:
        self._store.look()
        return f"{self._store.url} is there and may be listed."

    def write(self) -> str:
        self._store.write(self._key("written"), self._body, "application/octet-stream")
        return f"{_SMALL_BYTES} bytes are written, checked by their hash."

    def may_look(self) -> bool:
        """Say whether objects may be looked at, which is done after every write."""
        try:
            self._store.head(self._prefix + "written")
        except StoreForbiddenError:
            return False
        return True

    def read(self) -> str:
        with self._store.open(self._prefix + "written") as stored:
            if stored.read() != self._body:
                raise StoreUnavailableError("What was read is not what was written. Look at the store's disks.")
        return "What was read is what was written."

    def list(self) -> str:
        listed = [stored.key for stored in self._store.list(self._prefix)]
        if listed != [self._prefix + "written"]:
            raise StoreUnavailableError(f"The listing should have one object and has {len(listed)}.")
        return "The listing has the object."

    def copy(self) -> str:
        self._store.copy(self._prefix + "written", self._key("copied"))
        return "A copy inside the store has the same size and metadata."

    def upload_parts(self) -> str:
        size = (self._store.part_bytes or 0) + _SMALL_BYTES
        with tempfile.TemporaryDirectory(prefix="onc-mirror-") as folder:
            path = Path(folder, "in-parts")
            with path.open("wb") as file:
                file.truncate(size)
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                file.seek(0)
                md5 = hashlib.file_digest(file, "md5").hexdigest()
            fetched = Fetched(path, size_bytes=size, sha256=sha256, md5=md5)
            self._store.publish(self._key("in-parts"), fetched, {})
        return f"An upload of {size} bytes{' in parts' if self._store.part_bytes else ''} arrived whole."

    def list_uploads(self) -> str:
        try:
            next(self._store.uploads(), None)
        except StoreRejectedError:
            return "This store does not tell of uploads that nobody ended; it must clear them away by itself."
        return "Uploads that nobody ended can be found."

    def abort_upload(self) -> str:
        self._store.abort_upload(Upload(self._prefix + "in-parts", _NO_UPLOAD, datetime.now(UTC)))
        return "Uploads that nobody ended can be aborted."

    def delete(self) -> str:
        for key in self._keys:
            self._store.delete(key)
        with suppress(StoreForbiddenError):  # `list` has told that
            if left := [stored.key for stored in self._store.list(self._prefix)]:
                raise StoreUnavailableError(f"{len(left)} objects below {self._prefix} are still there.")
        self._keys.clear()
        return "Everything that was written is deleted again."

    def clear(self) -> None:
        """Delete what an earlier end has left; `delete` has said what there is to say about it."""
        for key in self._keys:
            with suppress(MirrorError):
                self._store.delete(key)

    def _key(self, name: str) -> str:
        self._keys.append(self._prefix + name)
        return self._keys[-1]
