"""What people see of a run while it goes on, on stderr: a bar with files, bytes and time left; what it waits for."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars

from onc_mirror import retrying
from onc_mirror.devices import logger as choosing
from onc_mirror.redacting import clean
from onc_mirror.run.exact_lists import logger as listing
from onc_mirror.transfer.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from onc_mirror.model import Outcome


class ProgressBar(Progress):
    """Watches a run and draws it; safe to call from many threads, as rich's progress is."""

    def __init__(self, bars: Bars) -> None:
        super().__init__()
        self._bars = bars
        self._bar = bars.add_task("asking the archive", total=None)

    def planned(self, files: int, size_bytes: int) -> None:
        """Begin the transfers, or some more."""
        super().planned(files, size_bytes)
        self._draw()

    def advanced(self, size_bytes: int) -> None:
        """Move the bar."""
        super().advanced(size_bytes)
        self._bars.update(self._bar, advance=size_bytes)

    def concluded(self, outcome: Outcome) -> None:
        """Count the file."""
        super().concluded(outcome)
        self._draw()

    def ended(self) -> None:
        """Count the slice."""
        super().ended()
        self._draw()

    def _draw(self) -> None:
        self._bars.update(self._bar, total=self.bytes_expected, description=self.label())


@contextmanager
def progress_bar(console: Console) -> Iterator[ProgressBar]:
    """Show a progress bar on `console`, a terminal, until the block ends."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, transient=True, expand=True) as bars:
        yield ProgressBar(bars)


class _Teller(logging.Handler):
    """Tells in a sentence what a log line says in fields."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        retry = getattr(record, "retry", None)
        if isinstance(retry, retrying.Retry):
            # Through the console, which keeps the bar below what is printed.
            self._console.print(clean(retry.sentence), markup=False, highlight=False)


@contextmanager
def waits_told(console: Console, *, as_log: bool) -> Iterator[None]:
    """Tell what fails and when it is tried again while the block runs: a long wait must not look like a hang.

    Args:
        console: Where people read it, in a sentence each, when it is a terminal.
        as_log: As lines of the log all the same.
    """
    log, teller = retrying.logger, _Teller(console)
    before = log.level, log.propagate
    log.setLevel(logging.WARNING)
    # That the device table stands in for the archive, and that a list of files takes long.
    told = (choosing, listing)
    for one in told:
        one.setLevel(logging.WARNING)
    if console.is_terminal and not as_log:
        log.propagate = False
        log.addHandler(teller)
    try:
        yield
    finally:
        log.removeHandler(teller)
        log.level, log.propagate = before
        for one in told:
            one.setLevel(logging.NOTSET)
