"""Objects in an S3 bucket. This package alone knows what S3 promises and what it does not.

S3 cannot take bytes back. So a file is hashed in scratch before it is sent, a single request carries Content-MD5, an
upload in parts is completed only when all parts were right, and afterwards the store is asked what it holds: size,
`sha256` metadata and entity tag. Where the tag is not the MD5 it usually is, the bytes are read back. An object whose
bytes turn out wrong although its own metadata vouches for it is deleted.
"""

from __future__ import annotations

import base64
import hashlib
import io
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from onc_mirror.errors import ObjectMissingError, StoreForbiddenError, StoreUnavailableError
from onc_mirror.model import StoredObject
from onc_mirror.store import multipart
from onc_mirror.store.body import Slice, changed_in_scratch, opened
from onc_mirror.store.port import check_key, describe
from onc_mirror.store.reading import ObjectReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from onc_mirror.model import Fetched
    from onc_mirror.store.port import Upload
    from onc_mirror.store.s3_bucket import Bucket

_READ_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class RequestSizes:
    """How much one request does.

    Attributes:
        part_bytes: Size of the parts of an upload; a larger file goes up in parts.
        copy_bytes: The same for copies inside the store. S3 copies at most 5 GiB in one request; a smaller step ends
            before a store has been silent for too long.
        page_keys: Keys in one answer to a listing; S3 gives at most 1000.
    """

    part_bytes: int
    copy_bytes: int = 2**30
    page_keys: int = 1000


class S3Store:
    """`ObjectStore` in a bucket, below a prefix.

    Args:
        url: The store URL.
        bucket: The bucket; closed with the store.
        prefix: Goes in front of every key; empty, or ending with a slash.
        sizes: How much one request does.
    """

    def __init__(self, url: str, bucket: Bucket, *, prefix: str, sizes: RequestSizes) -> None:
        self._url = url
        self._bucket = bucket
        self._prefix = prefix
        self._sizes = sizes
        self._bucket_is_there = False

    @property
    def url(self) -> str:
        """As `ObjectStore.url`."""
        return self._url

    @property
    def part_bytes(self) -> int:
        """As `ObjectStore.part_bytes`."""
        return self._sizes.part_bytes

    def head(self, key: str) -> StoredObject | None:
        """As `ObjectStore.head`."""
        try:
            return self._describe(key, self._ask(key))
        except ObjectMissingError:
            # The answer to HEAD has no body that could tell a missing object from a missing bucket.
            self._require_bucket()
            return None

    def publish(self, key: str, fetched: Fetched, metadata: Mapping[str, str]) -> StoredObject:
        """As `ObjectStore.publish`."""
        full = self._full(key)
        described = describe(metadata, sha256=fetched.sha256, md5=fetched.md5)
        if fetched.size_bytes > self._sizes.part_bytes:
            tag = multipart.upload(self._bucket, full, fetched, described, self._sizes.part_bytes)
        else:
            with opened(fetched, full) as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != fetched.sha256:
                    raise changed_in_scratch(fetched, full)
                self._put(full, Slice(file, 0, fetched.size_bytes), described)
            tag = fetched.md5
        return self._prove(key, fetched.size_bytes, described, tag)

    def write(self, key: str, body: bytes, content_type: str) -> StoredObject:
        """As `ObjectStore.write`."""
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        described = describe({}, sha256=hashlib.sha256(body).hexdigest(), md5=md5)
        self._put(self._full(key), Slice(io.BytesIO(body), 0, len(body)), described, ContentType=content_type)
        return self._prove(key, len(body), described, md5)

    def look(self) -> None:
        """As `ObjectStore.look`."""
        self._list(self._prefix, MaxKeys=1)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """As `ObjectStore.list`."""
        following: dict[str, Any] = {"MaxKeys": self._sizes.page_keys}
        while True:
            page = self._list(self._prefix + prefix, **following)
            for row in page.get("Contents", ()):
                yield StoredObject(
                    key=row["Key"].removeprefix(self._prefix),
                    size_bytes=row["Size"],
                    etag=row["ETag"].strip('"'),
                    modified_at=row["LastModified"],
                )
            if not page.get("IsTruncated"):
                return
            following["ContinuationToken"] = page["NextContinuationToken"]

    def open(self, key: str) -> BinaryIO:
        """As `ObjectStore.open`."""
        full = self._full(key)
        answer = self._bucket.call("get_object", key=full)
        return io.BufferedReader(ObjectReader(self._bucket, full, answer["Body"]), _READ_BYTES)

    def copy(self, source: str, target: str) -> StoredObject:
        """As `ObjectStore.copy`."""
        original = self.head(source)
        if original is None:
            raise ObjectMissingError(f"There is no such object to copy ({self._bucket.where}).", subject=source)
        origin = {"Bucket": self._bucket.name, "Key": self._full(source)}
        if original.size_bytes <= self._sizes.copy_bytes:
            self._bucket.call("copy_object", key=self._full(target), CopySource=origin)
        else:
            multipart.copy(
                self._bucket,
                origin,
                self._full(target),
                size=original.size_bytes,
                described=original.metadata,
                part_bytes=self._sizes.copy_bytes,
            )
        copied = self.head(target)
        if copied is None or (copied.size_bytes, copied.metadata) != (original.size_bytes, original.metadata):
            raise StoreUnavailableError(
                f"The copy of {source} is not what it was copied from ({self._bucket.where}).", subject=target
            )
        return copied

    def delete(self, key: str) -> None:
        """As `ObjectStore.delete`."""
        self._bucket.call("delete_object", key=self._full(key))

    def uploads(self) -> Iterator[Upload]:
        """As `ObjectStore.uploads`."""
        for upload in multipart.unfinished(self._bucket, self._prefix):
            yield replace(upload, key=upload.key.removeprefix(self._prefix))

    def abort_upload(self, upload: Upload) -> None:
        """As `ObjectStore.abort_upload`."""
        multipart.abort(self._bucket, self._full(upload.key), upload.upload_id)

    def close(self) -> None:
        """As `ObjectStore.close`."""
        self._bucket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _full(self, key: str) -> str:
        return check_key(self._prefix + check_key(key))

    def _put(self, full: str, body: Slice, described: Mapping[str, str], **parameters: str) -> None:
        self._bucket.send(
            "put_object",
            body,
            key=full,
            Metadata=dict(described),
            ContentMD5=base64.b64encode(bytes.fromhex(described["md5"])).decode(),
            **parameters,
        )

    def _list(self, full_prefix: str, **parameters: Any) -> dict[str, Any]:
        page = self._bucket.call("list_objects_v2", Prefix=full_prefix, **parameters)
        self._bucket_is_there = True
        return page

    def _ask(self, key: str) -> dict[str, Any]:
        return self._bucket.call("head_object", key=self._full(key))

    def _describe(self, key: str, answer: dict[str, Any]) -> StoredObject:
        return StoredObject(
            key=key,
            size_bytes=answer["ContentLength"],
            metadata=MappingProxyType({name.lower(): value for name, value in answer["Metadata"].items()}),
            etag=answer["ETag"].strip('"'),
            modified_at=answer["LastModified"],
        )

    def _require_bucket(self) -> None:
        if not self._bucket_is_there:
            # The right to look at the bucket may not be granted; a missing one then shows at the first write.
            with suppress(StoreForbiddenError):
                self._bucket.call("head_bucket")
            self._bucket_is_there = True

    def _prove(self, key: str, size: int, described: Mapping[str, str], tag: str) -> StoredObject:
        """Compare what the store holds with what it was given."""
        answer = self._ask(key)
        stored = self._describe(key, answer)
        if stored.metadata.get("sha256") != described["sha256"]:
            raise self._differs(key, "other metadata than it was given; another writer may have replaced it")
        if stored.size_bytes != size:
            self.delete(key)
            raise self._differs(key, f"{stored.size_bytes} bytes where it was given {size}")
        # AWS checks Content-MD5, but its tag is something else where it encrypts with a managed key.
        encrypted = str(answer.get("ServerSideEncryption", "")).startswith("aws:kms")
        if stored.etag != tag and not encrypted and not self._reads_as(key, described["sha256"]):
            self.delete(key)
            raise self._differs(key, "other bytes than it was given")
        return stored

    def _reads_as(self, key: str, sha256: str) -> bool:
        with self.open(key) as stored:
            digest = hashlib.sha256()
            while chunk := stored.read(_READ_BYTES):
                digest.update(chunk)
        return digest.hexdigest() == sha256

    def _differs(self, key: str, how: str) -> StoreUnavailableError:
        return StoreUnavailableError(f"The store holds {how} ({self._bucket.where}).", subject=self._full(key))
