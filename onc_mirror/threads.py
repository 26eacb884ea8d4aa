"""Threads that work side by side and end when the program is told to; one that repeats, some with a time limit."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")


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


@contextmanager
def repeating(call: Callable[[], None], seconds: float, name: str) -> Iterator[None]:
    """Call `call` every `seconds` until the block ends, in a thread of its own; it has returned for good then.

    Args:
        call: What to do; it must not raise.
        seconds: Between two calls, and before the first.
        name: Of the thread.
    """
    done = threading.Event()

    def repeat() -> None:
        while not done.wait(seconds):
            call()

    thread = threading.Thread(target=repeat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def within(seconds: float, calls: Sequence[Callable[[], T]], name: str) -> list[T | None]:
    """Call all `calls` side by side, and wait no longer than `seconds` for them.

    Args:
        seconds: In all.
        calls: What to do; they must not raise.
        name: Of the threads; one that takes longer ends with the program at the latest.

    Returns:
        What each returned, in their order; None for one that has not returned by then.
    """
    results: list[T | None] = [None] * len(calls)

    def run(number: int, call: Callable[[], T]) -> None:
        results[number] = call()

    threads = [threading.Thread(target=run, args=one, name=name, daemon=True) for one in enumerate(calls)]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return list(results)
