"""Which URLs can name a store: `s3://bucket[/prefix]` or `file:///folder`."""

from __future__ import annotations

import re

# What some S3 server or other allows: AWS wants lower case, older buckets and Ceph also have other names.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,254}")
# A key has at most 1024 bytes, and `layout` makes keys of up to 520.
_LONGEST_PREFIX_BYTES = 500


def checked_store_url(url: str) -> str:
    """Return `url` without slashes at its end.

    Raises:
        ValueError: It can be none; the URL is not quoted, since what was pasted for it may be credentials.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in {"s3", "file"} or not rest.strip("/"):
        raise ValueError("must be s3://bucket[/prefix] or file:///folder")
    if scheme == "s3":
        _check_bucket(*rest.rstrip("/").partition("/")[::2])
    return url.rstrip("/")


def _check_bucket(bucket: str, prefix: str) -> None:
    if not _BUCKET.fullmatch(bucket):
        raise ValueError("the bucket's name must be 3 to 255 letters, digits, dots, hyphens or underscores")
    parts = prefix.split("/") if prefix else []
    if not prefix.isprintable() or any(part in {"", ".", ".."} for part in parts):
        raise ValueError("the prefix must not have empty, . or .. parts, nor control characters")
    if len(prefix.encode()) > _LONGEST_PREFIX_BYTES:
        raise ValueError(f"the prefix must not be longer than {_LONGEST_PREFIX_BYTES} bytes")
