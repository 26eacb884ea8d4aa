"""A fault in the mirror itself, named so that it can be reported without leaking what it holds."""

from __future__ import annotations

from onc_mirror.errors import MirrorError, UnexpectedError
from onc_mirror.redacting import redact


def named(error: Exception) -> MirrorError:
    """Return `error` when it is one of the mirror's own, else an `UnexpectedError` with its type and clean text.

    Raise the result outside of the handler: chained to the original it would bring the original's secrets along.
    """
    if isinstance(error, MirrorError):
        return error
    return UnexpectedError(
        f"A fault in onc-mirror itself, please report it: {redact(f'{type(error).__name__}: {error}')}"
    )
