"""Where people look into a store with a browser: a URL with `{key}` in the place of an object's key."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

_KEY = "{key}"


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
