"""Waiting for what another process does, without sleeping for a fixed time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(condition: Callable[[], bool], *, timeout_s: float = 30.0, every_s: float = 0.01) -> None:
    """Return as soon as `condition` holds.

    Raises:
        TimeoutError: It never did.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {timeout_s:g} s in vain.")
        time.sleep(every_s)
