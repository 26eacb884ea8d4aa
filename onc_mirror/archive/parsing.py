"""JSON of the archive as Python values, refused before it costs more memory than any honest answer. Pure.

Parsed, JSON can be fifty times as large as its text: 64 MiB of empty lists within lists took 3.1 GB, of objects with
one key 1.7 GB. The largest honest answer, 100,000 rows with the longest names there are, is 40 MiB of text, 120 MiB
parsed, and 340 MiB as reckoned here, which is for the worst that its commas and brackets may stand for. The worst
text that is let through takes 550 MiB. Measured with CPython 3.11.
"""

from __future__ import annotations

import json
from typing import Any

# More than a full page needs with as many unknown keys again as there are known ones.
MOST_MEMORY_BYTES = 640 * 2**20
# A listing has 4: the answer, `files` or `next`, a row or `parameters`, and its values.
DEEPEST = 20

_BYTES_PER_CONTAINER = 256
# A key that comes only once, and its value.
_BYTES_PER_VALUE = 192
# A sign outside ASCII may make all others of its text as wide as itself.
_WIDEST = 4
_CONTAINERS = (dict, list)


class TooCostlyError(ValueError):
    """The text would take more memory than an honest answer does, or is nested more deeply."""


def parse_json(text: bytes) -> Any:
    """Parse an answer.

    Raises:
        ValueError: It is not JSON.
        TooCostlyError: It is not worth its memory, or too deep to be handled.
    """
    if reckon_memory(text) > MOST_MEMORY_BYTES:
        raise TooCostlyError
    try:
        answer = json.loads(text)
    except RecursionError:
        raise TooCostlyError from None
    if not _is_shallow(answer):
        raise TooCostlyError
    return answer


def reckon_memory(text: bytes) -> int:
    """Return how many bytes parsing `text` takes at the worst, the text itself left out."""
    width = 1 if text.isascii() and b"\\u" not in text else _WIDEST
    containers = text.count(b"[") + text.count(b"{")
    values = containers + text.count(b",")
    return 2 * width * len(text) + _BYTES_PER_CONTAINER * containers + _BYTES_PER_VALUE * values


def _is_shallow(answer: Any) -> bool:
    level = [answer] if isinstance(answer, _CONTAINERS) else []
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, _CONTAINERS)
        ]
    return not level
