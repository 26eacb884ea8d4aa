"""What libhdf5's error texts mean. The only place that reads them.

Only the inner part of a text is matched: h5py 3.16 says "Unable to synchronously open file (truncated file: ..."
where older ones said "Unable to open file (truncated file: ...". What can be told from bytes is not told from
text (see `superblock`); each text below is what HDF5 2.0.0 says, seen by the tests.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from onc_mirror.validation.reasons import FlawError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

# What h5py raises for a damaged file: its table maps libhdf5's minor error numbers to these, RuntimeError being
# the rest; building a numpy type from a damaged header adds the others. MemoryError is a different matter.
LIBRARY_ERRORS = (OSError, RuntimeError, ValueError, LookupError, TypeError, ArithmeticError, SystemError)

_LONGEST_DETAIL = 500

_MEANINGS = (
    ("allocation failed", Reason.VALIDATOR_MEMORY),
    ("unable to allocate", Reason.VALIDATOR_MEMORY),
    ("incorrect metadata checksum", Reason.BROKEN_STRUCTURE),
    ("no numpy equivalent", Reason.UNKNOWN_TYPE),
    ("file signature not found", Reason.NOT_HDF5),
    ("truncated file:", Reason.TRUNCATED_FILE),
    ("file is already open for write", Reason.STILL_OPEN),
)


def meaning(error: BaseException) -> Reason | None:
    """Return the reason that an error's text names, or None when it names none."""
    if isinstance(error, MemoryError):
        return Reason.VALIDATOR_MEMORY
    text = str(error).lower()
    return next((reason for part, reason in _MEANINGS if part in text), None)


def brief(error: BaseException) -> str:
    """Return an error's text, bounded; its type when it has no text."""
    return (str(error).strip("'\"") or type(error).__name__)[:_LONGEST_DETAIL]


@contextmanager
def naming_errors(where: str, otherwise: Reason) -> Iterator[None]:
    """Turn what h5py raises into a `FlawError` that says where, with the reason of its text or `otherwise`."""
    try:
        yield
    except LIBRARY_ERRORS as error:
        raise FlawError(meaning(error) or otherwise, f"{where}: {brief(error)}") from None
