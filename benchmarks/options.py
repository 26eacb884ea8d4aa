"""What the command lines of the benchmarks share."""

from __future__ import annotations

import argparse

from pydantic import ByteSize, TypeAdapter, ValidationError


def size(text: str) -> int:
    """Read a number of bytes such as `60kB`, `24MB` or `3GB`.

    >>> size("60kB")
    60000
    """
    try:
        return int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size") from None
