r"""Archive files to rows of `files`, and back, whatever text the archive puts into them.

Databases refuse some of what JSON can hold: PostgreSQL a NUL, both of them half a surrogate pair, and PostgreSQL's
index a name of thousands of bytes. A row with such a name must be accounted for all the same, so its key is
`\` and a hash instead, and the exact names are kept as JSON in `exact_name`.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from onc_mirror.model import ArchiveFile

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

_REFUSED = re.compile(r"[\x00\ud800-\udfff]")
_LONGEST_NAME = 300
_LONGEST_EXTENSION = 40
_LARGEST = 2**63 - 1
_HASH_MARK = "\\"


def key_of(device_code: str, filename: str) -> tuple[str, str]:
    """Return device code and filename as they are in the ledger's key.

    >>> key_of("TUMLIDAR001", "a.hdf5")
    ('TUMLIDAR001', 'a.hdf5')
    """
    return _key_part(device_code), _key_part(filename)


def exact_names(device_code: str, filename: str, exact_name: str | None) -> tuple[str, str]:
    """Return the device code and filename that a row's key stands for."""
    if exact_name is None:
        return device_code, filename
    device_code, filename = json.loads(exact_name)
    return device_code, filename


def clean_text(text: str) -> str:
    """Return `text` with what a database refuses replaced; for texts that only people read."""
    return _REFUSED.sub("\N{REPLACEMENT CHARACTER}", text)


def size_or_none(size: int | None) -> int | None:
    """Return the size, None when 64 bits cannot hold it: such a number is none, and the row keeps it."""
    return size if size is not None and abs(size) <= _LARGEST else None


def extension_of(extension: str) -> str:
    """Return an extension as the ledger has it: one that no selection names may be cut."""
    return clean_text(extension)[:_LONGEST_EXTENSION]


def listed_columns(file: ArchiveFile) -> dict[str, Any]:
    """Return the columns that tell of the file as last listed, with its key."""
    device_code, filename = key_of(file.device_code, file.filename)
    odd = (device_code, filename) != (file.device_code, file.filename)
    return {
        "device_code": device_code,
        "filename": filename,
        "exact_name": json.dumps([file.device_code, file.filename]) if odd else None,
        "product_code": _clean(file.product_code),
        "begins_at": file.begins_at,
        "ends_at": file.ends_at,
        "archived_at": file.archived_at,
        "modified_at": file.modified_at,
        "stored_bytes": size_or_none(file.stored_bytes),
        "uncompressed_bytes": size_or_none(file.uncompressed_bytes),
        "compression": _clean(file.compression),
        "row": json.dumps(dict(file.row)),
        "extension": extension_of(file.extension),
    }


def settled_columns(file: ArchiveFile, transferred_bytes: int) -> dict[str, Any]:
    """Return the facts by which a later listing shows that the archive replaced the file."""
    size = transferred_bytes or None if file.expected_bytes is None else file.expected_bytes
    return {"settled_at": file.changed_at, "settled_bytes": size_or_none(size)}


def has_changed(file: ArchiveFile, settled_at: datetime | None, settled_bytes: int | None) -> bool:
    """Whether the archive touched the file after `settled_at`, or its size is another, as far as both are known."""
    changed_at, size = file.changed_at, size_or_none(file.expected_bytes)
    later = changed_at is not None and (settled_at is None or changed_at > settled_at)
    return later or (size is not None and settled_bytes is not None and size != settled_bytes)


def archive_file(row: Row[Any]) -> ArchiveFile:
    """Return the file as it was last listed."""
    device_code, filename = exact_names(row.device_code, row.filename, row.exact_name)
    return ArchiveFile(
        filename=filename,
        device_code=device_code,
        product_code=row.product_code,
        begins_at=row.begins_at,
        ends_at=row.ends_at,
        archived_at=row.archived_at,
        modified_at=row.modified_at,
        stored_bytes=row.stored_bytes,
        uncompressed_bytes=row.uncompressed_bytes,
        compression=row.compression,
        row=json.loads(row.row),
    )


def order_of_change(file: ArchiveFile) -> tuple[Any, ...]:
    """Sort differing rows for one file: the last is the one that the archive touched last, in any listing order."""
    return _or_first(file.changed_at), _or_first(file.stored_bytes), json.dumps(dict(file.row), sort_keys=True)


def _or_first(value: datetime | int | None) -> tuple[bool, Any]:
    return (value is not None, value)


def _key_part(name: str) -> str:
    if len(name) <= _LONGEST_NAME and not name.startswith(_HASH_MARK) and not _REFUSED.search(name):
        return name
    return _HASH_MARK + hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()


def _clean(text: str | None) -> str | None:
    return None if text is None else clean_text(text)
