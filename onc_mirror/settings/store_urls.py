"""Which URLs can name a store: `s3://bucket[/prefix]` or `file:///folder`; and where people look into it."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

# What some S3 server or other allows: AWS wants lower case, older buckets and Ceph also have other names.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,254}")
# A key has at most 1024 bytes, and `layout` makes keys of up to 520.
_LONGEST_PREFIX_BYTES = 500
_KEY = "{key}"


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


def checked_browse_url(url: str) -> str:
    """Return `url`.

    Raises:
        ValueError: It is no http or https URL with `{key}` in it, or it holds a password, which tables would show.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or url.count(_KEY) != 1 or _KEY in parts.netloc:
        raise ValueError("must be a URL with {key} in it, such as https://console.example.org/my-bucket/{key}")
    if parts.username is not None or not url.isprintable() or set(url) & set(" ()<>"):
        raise ValueError("must hold no password, and no space, bracket or control character but as %20 and so on")
    return url


def page_of(browse_url: str, store_url: str, key: str) -> str:
    """Where people see an object, or a folder when the key ends in a slash.

    >>> page_of("https://console.example.org/b?prefix={key}", "s3://b/onc", "raw/TUMLIDAR001/")
    'https://console.example.org/b?prefix=onc/raw/TUMLIDAR001/'
    """
    scheme, _, rest = store_url.partition("://")
    prefix = rest.partition("/")[2] if scheme == "s3" else ""
    # A bracket that is not quoted would end the link in Markdown.
    return browse_url.replace(_KEY, quote(f"{prefix}/{key}" if prefix else key, safe="/"))


def _check_bucket(bucket: str, prefix: str) -> None:
    if not _BUCKET.fullmatch(bucket):
        raise ValueError("the bucket's name must be 3 to 255 letters, digits, dots, hyphens or underscores")
    parts = prefix.split("/") if prefix else []
    if not prefix.isprintable() or any(part in {"", ".", ".."} for part in parts):
        raise ValueError("the prefix must not have empty, . or .. parts, nor control characters")
    if len(prefix.encode()) > _LONGEST_PREFIX_BYTES:
        raise ValueError(f"the prefix must not be longer than {_LONGEST_PREFIX_BYTES} bytes")
