"""Threads that work side by side, and that nobody waits for once the program is told to stop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def side_by_side(threads: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Give the `with` block a pool of threads, and wait for them at its end.

    When the block fails, what has not begun never does. When it is interrupted (`KeyboardInterrupt`), the threads
    are not waited for either: one of them may hang in a stalled transfer for minutes. The process is about to end
    then, and what they were doing is for the next run to do again.

    Args:
        threads: How many at most.
        name: Begin of the threads' names.
    """
    pool = ThreadPoolExecutor(threads, name)
    try:
        yield pool
        pool.shutdown()
    except BaseException as error:
        pool.shutdown(wait=not isinstance(error, KeyboardInterrupt), cancel_futures=True)
        raise
