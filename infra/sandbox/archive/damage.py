"""Damage to the true bytes of a file, always the same for the same file and fault."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Final

from infra.sandbox.archive.body import Body, Memory, body_of
from infra.sandbox.archive.faults import Fault, Kind
from infra.sandbox.archive.template import SWMR_OPEN, WRITE_OPEN, still_open

if TYPE_CHECKING:
    from collections.abc import Iterable

_TEXT: Final = b"<p>Notice: the archive will be under maintenance tonight.</p>\n"
_TEXT_BYTES: Final = 500
_ZEROS: Final = bytes(2**20)


def damaged(body: Body, faults: Iterable[Fault], soft_spot: int) -> Body:
    """The body after all damage of `faults`, in their order.

    Args:
        body: True bytes.
        faults: Those of the kinds `faults.DAMAGING`; others change nothing.
        soft_spot: Where a flipped bit does harm.
    """
    for fault in faults:
        body = _damage(body, fault, soft_spot)
    return body


def _damage(body: Body, fault: Fault, soft_spot: int) -> Body:  # noqa: PLR0911  one return per kind
    size = body.size
    match fault.kind:
        case Kind.SHORT:
            return body.cut(0, min(size, size // 2 if fault.after_bytes is None else fault.after_bytes))
        case Kind.GZIP:
            return body_of(gzip.compress(body.load(), 1, mtime=0))
        case Kind.BIT_FLIP:
            offset = min(size - 1, soft_spot if fault.offset is None else fault.offset % size)
            byte = body.cut(offset, offset + 1).load()
            return body.patched(offset, bytes([byte[0] ^ 0x10]))
        case Kind.ZERO_TAIL:
            length = min(size, size // 4 if fault.length is None else fault.length)
            return body.cut(0, size - length) + _zeros(length)
        case Kind.INJECTED_TEXT:
            length = _TEXT_BYTES if fault.length is None else fault.length
            text = (_TEXT * (length // len(_TEXT) + 1))[:length]
            longer = body.cut(0, size // 2) + body_of(text) + body.cut(size // 2)
            return longer.cut(0, size) if fault.keep_size else longer
        case Kind.ZERO_LENGTH:
            return body_of(b"")
        case Kind.STILL_OPEN_SWMR:
            return still_open(body, SWMR_OPEN)
        case Kind.STILL_OPEN_WRITE:
            return still_open(body, WRITE_OPEN)
        case _:
            return body


def _zeros(length: int) -> Body:
    whole, rest = divmod(length, len(_ZEROS))
    return Body((Memory(_ZEROS),) * whole) + body_of(_ZEROS[:rest])
