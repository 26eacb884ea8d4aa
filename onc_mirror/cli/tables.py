"""Tables for people, on stdout."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_UNIT = 1000.0


def stdout() -> Console:
    """The console of results. Without a terminal it is wide, so that no cell is cut in a log or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=200)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, console: Console) -> None:
    """Print rows; numbers stand right, sizes and times are readable, what is missing is empty."""
    table = Table(title=title, title_justify="left")
    shown = [list(row) for row in rows]
    for number, name in enumerate(columns):
        numeric = any(isinstance(row[number], int) for row in shown)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in shown:
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table)


def size_text(size_bytes: float) -> str:
    """A size for people, decimal units.

    >>> size_text(24_000_000)
    '24.0 MB'
    """
    if size_bytes < _UNIT:
        return f"{int(size_bytes)} B"
    power = min(int(math.log(size_bytes, _UNIT)), 5)
    return f"{size_bytes / _UNIT**power:.1f} {'kMGTP'[power - 1]}B"


def _cell(value: Any) -> str:
    if value is None or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    return str(value)
