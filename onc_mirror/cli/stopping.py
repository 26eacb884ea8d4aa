"""How the console script stops when it is told to: by Ctrl-C, by a service manager, by a closing terminal.

The first signal interrupts the command (`KeyboardInterrupt`): it closes what it has open, removes its scratch and
leaves without waiting for transfers in flight. Those that come within a moment of it are the same request: `timeout`,
and a shell that passes a signal on, signal the process and its group. A later one ends the process on the spot.
Killing it is harmless at any instant; a signal only makes it tidy.

Python hands a signal to the main thread when that next runs. One that comes while it is about to wait for a lock, and
lets another thread run first, would leave it waiting (about every second time where two signals came just as a file
had ended, seen with Python 3.11.7). So a thread wakes it until it has heard.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

MOMENT_S = 1.0
"""Seconds within which several signals are one request."""

_WAKE_S = 0.05
_SHOW_CURSOR = "\x1b[?25h"
_BASE = 128
"""Exit codes of what a signal ended, as the shell counts: 130 for SIGINT, 143 for SIGTERM."""


class Stopper:
    """Listens to signals.

    Attributes:
        signal: The one that came, or None.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._came_at = 0.0

    def listen(self) -> None:
        """Begin to listen; signals that whoever started us has switched off, as nohup does, stay so.

        To be called once, by the main thread.
        """
        came, told = os.pipe()
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        threading.Thread(target=self._wake, args=(came,), name="stopper", daemon=True).start()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._stop)

    def leave(self, advice: str = "") -> NoReturn:
        """End the process with the signal's exit code, without waiting for threads that hang in a transfer."""
        number = self.signal or signal.SIGINT
        sys.stderr.write(f"onc-mirror: stopped by {number.name}.{advice}\n")
        sys.stderr.flush()
        os._exit(_BASE + number)

    def _wake(self, came: int) -> None:
        number = os.read(came, 1)[0]
        while self.signal is None:
            time.sleep(_WAKE_S)
            signal.pthread_kill(threading.main_thread().ident or 0, number)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.signal is not None:
            if now - self._came_at < MOMENT_S:
                return
            if sys.stderr.isatty():
                os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
            os._exit(_BASE + number)
        self.signal, self._came_at = signal.Signals(number), now
        raise KeyboardInterrupt
