"""Uploading a large file in parts: nothing appears under the key until all of its bytes are proven, or nothing ever.

Each part is read twice, once to hash it and once to send it, the second time from the page cache. So the memory
needed does not depend on the size of a part, and no bytes are sent that were not hashed before.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onc_mirror.errors import MirrorError, StoreUnavailableError
from onc_mirror.store.body import Slice, changed_in_scratch, opened
from onc_mirror.store.port import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from hashlib import _Hash

    from onc_mirror.model import Fetched
    from onc_mirror.store.s3_bucket import Bucket

_log = logging.getLogger(__name__)

# AWS takes 10,000 parts, Swift's s3api and gateways in front of it 1,000 (swift 2.38, `max_upload_part_num`).
MAX_PARTS = 1000
_MIB = 2**20
_HASHED_BYTES = 2**20
_NO_SUCH_UPLOAD = 404


@dataclass(frozen=True, slots=True)
class Part:
    """A range of bytes of the whole.

    Attributes:
        number: From 1.
        begin: Offset of its first byte.
        size: Bytes.
    """

    number: int
    begin: int
    size: int


def split(size: int, part_bytes: int) -> list[Part]:
    """Divide `size` bytes into at most 1,000 parts of `part_bytes`, or of more where that would be too many.

    >>> [part.size for part in split(25 * 2**20, 10 * 2**20)]
    [10485760, 10485760, 5242880]
    """
    least = -(-size // MAX_PARTS)
    step = max(part_bytes, -(-least // _MIB) * _MIB)
    return [Part(index + 1, begin, min(step, size - begin)) for index, begin in enumerate(range(0, size, step))]


def upload(bucket: Bucket, key: str, fetched: Fetched, described: Mapping[str, str], part_bytes: int) -> str:
    """Store a file in parts and return the tag that the whole has by S3's rule.

    Raises:
        StoreUnavailableError: The bytes in scratch or those that arrived are not those of `fetched`; or as `Bucket`.
    """
    whole = hashlib.sha256()
    md5s: list[bytes] = []

    def send_all(upload_id: str) -> Iterator[dict[str, Any]]:
        with opened(fetched, key) as file:
            for part in split(fetched.size_bytes, part_bytes):
                md5s.append(_hash(Slice(file, part.begin, part.size), whole))
                answer = bucket.send(
                    "upload_part",
                    Slice(file, part.begin, part.size),
                    key=key,
                    UploadId=upload_id,
                    PartNumber=part.number,
                    ContentMD5=base64.b64encode(md5s[-1]).decode(),
                )
                yield {"PartNumber": part.number, "ETag": answer["ETag"]}
        if whole.hexdigest() != fetched.sha256:
            raise changed_in_scratch(fetched, key)

    _assemble(bucket, key, described, send_all)
    return f"{hashlib.md5(b''.join(md5s), usedforsecurity=False).hexdigest()}-{len(md5s)}"


def copy(  # noqa: PLR0913 - what a copy is made of
    bucket: Bucket, origin: dict[str, str], key: str, *, size: int, described: Mapping[str, str], part_bytes: int
) -> None:
    """Copy an object in parts inside the store, with the metadata `described`.

    Args:
        bucket: Where to.
        origin: `Bucket` and `Key` of the object.
        key: Key of the copy.
        size: Bytes of the object.
        described: Metadata of the copy.
        part_bytes: Bytes per part, more where that would be too many parts.
    """

    def copy_all(upload_id: str) -> Iterator[dict[str, Any]]:
        for part in split(size, part_bytes):
            answer = bucket.call(
                "upload_part_copy",
                key=key,
                UploadId=upload_id,
                PartNumber=part.number,
                CopySource=origin,
                CopySourceRange=f"bytes={part.begin}-{part.begin + part.size - 1}",
            )
            yield {"PartNumber": part.number, "ETag": answer["CopyPartResult"]["ETag"]}

    _assemble(bucket, key, described, copy_all)


def unfinished(bucket: Bucket, prefix: str) -> Iterator[Upload]:
    """Go through the uploads below a prefix that were begun and not ended, with their whole keys."""
    following: dict[str, Any] = {}
    while True:
        page = bucket.call("list_multipart_uploads", Prefix=prefix, **following)
        for row in page.get("Uploads", ()):
            yield Upload(row["Key"], row["UploadId"], row["Initiated"])
        if not page.get("IsTruncated"):
            return
        following = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


def abort(bucket: Bucket, key: str, upload_id: str) -> None:
    """Abort an upload; one that is no more is no error."""
    try:
        bucket.call("abort_multipart_upload", key=key, UploadId=upload_id)
    except StoreUnavailableError as error:
        if error.status != _NO_SUCH_UPLOAD:
            raise


def _assemble(
    bucket: Bucket,
    key: str,
    described: Mapping[str, str],
    send_all: Callable[[str], Iterator[dict[str, Any]]],
) -> None:
    """Begin a multipart upload, have `send_all` send its parts, and complete it; whatever goes wrong, abort it."""
    begun = bucket.call("create_multipart_upload", key=key, Metadata=dict(described))
    upload_id: str = begun["UploadId"]
    try:
        parts = list(send_all(upload_id))
        bucket.call("complete_multipart_upload", key=key, UploadId=upload_id, MultipartUpload={"Parts": parts})
    except BaseException:
        _abort(bucket, key, upload_id)
        raise


def _hash(body: Slice, whole: _Hash) -> bytes:
    """Add `body` to the hash of the whole and return its own MD5."""
    md5 = hashlib.md5(usedforsecurity=False)
    while chunk := body.read(_HASHED_BYTES):
        md5.update(chunk)
        whole.update(chunk)
    return md5.digest()


def _abort(bucket: Bucket, key: str, upload_id: str) -> None:
    try:
        bucket.call("abort_multipart_upload", key=key, UploadId=upload_id)
    except MirrorError as error:
        # The first error is the one to tell; what is left takes room until the bucket's lifecycle removes it.
        _log.warning("unfinished multipart upload left behind key=%s upload_id=%s reason=%s", key, upload_id, error)
