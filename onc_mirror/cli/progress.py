"""The progress bar of a run: files, bytes, speed and time left, on stderr."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from onc_mirror.model import Outcome


class ProgressBar:
    """Watches a run and draws it; safe to call from many threads, as rich's progress is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bar = progress.add_task("asking the archive", total=None)
        self._files = self._done = 0

    def planned(self, files: int, size_bytes: int) -> None:
        """Begin the transfers."""
        self._files = files
        self._progress.update(self._bar, total=size_bytes, description=self._label())

    def advanced(self, size_bytes: int) -> None:
        """Move the bar."""
        self._progress.update(self._bar, advance=size_bytes)

    def concluded(self, outcome: Outcome) -> None:  # noqa: ARG002 - the watcher's signature
        """Count the file."""
        self._done += 1
        self._progress.update(self._bar, description=self._label())

    def _label(self) -> str:
        return f"{self._done} of {self._files} files"


@contextmanager
def progress_bar(console: Console) -> Iterator[ProgressBar]:
    """Show a progress bar on `console` until the block ends; only its summary line when that is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield ProgressBar(progress)
