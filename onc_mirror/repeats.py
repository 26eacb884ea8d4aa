"""Who hears of what is tried again: retries know no run, and a run wants to count them.

For the whole process: two runs in one process hear of each other's.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from onc_mirror.errors import TransientError

_listeners: list[Callable[[TransientError], None]] = []


def tell_of_repeat(error: TransientError) -> None:
    """Tell whoever listens that what failed with `error` is tried again."""
    for listener in tuple(_listeners):
        listener(error)


@contextmanager
def repeats_heard(listener: Callable[[TransientError], None]) -> Iterator[None]:
    """Have `listener` called for every repeat, from whatever thread, until the block ends."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
