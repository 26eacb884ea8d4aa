"""Telling by its first bytes what stands in a file's place: an HTML page, a JSON error, a gzip of it. Pure.

Proxies, outages and maintenance send such bodies with status 200, and up to 2019 the archive sent gzipped bodies
under the bare name. Only what is surely not the file is refused, since a refused file is never mirrored: an HDF5
file may begin with a user block, and text with nearly anything.
"""

from __future__ import annotations

import re

from onc_mirror.model import HDF5_SIGNATURE

# Enough for any of the signatures, behind a comment or an XML declaration too.
SNIFFED_BYTES = 1024

_GZIPPED = frozenset({"gz", "tgz"})
_HTML = frozenset({"html", "htm", "xhtml"})
_TEXTS = frozenset({"txt", "log", "csv", "json", "geojson", "xml", "cfg"})

_HTML_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|title|body)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*[{\[]\s*(?:[\"{}\]])")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
# Method 8 is the only one there is, and the upper three bits of the flags are reserved.
_GZIP = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")


def impostor(head: bytes, extension: str) -> str | None:
    """Name what `head` shows to be in place of a file with `extension`, or None when it may be the file.

    Args:
        head: The body's first `SNIFFED_BYTES` bytes, or all of a shorter body.
        extension: In lower case, without a dot.

    >>> impostor(b"<!DOCTYPE html><html>", "hdf5")
    'an HTML page'
    >>> impostor(b'{"errors": []}', "txt") is None
    True
    """
    if head.startswith(HDF5_SIGNATURE):
        return None
    if extension not in _HTML and _HTML_PAGE.match(head):
        return "an HTML page"
    if extension not in _GZIPPED and _GZIP.match(head):
        return "a gzip file"
    if extension not in _TEXTS and _JSON.match(head) and not _CONTROL.search(head):
        return "a JSON document"
    return None
