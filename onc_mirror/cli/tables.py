"""Tables for people, on stdout: columns in a terminal that is wide enough, a paragraph per row in one that is not.

What is no terminal (a pipe, a log, a mail) is as wide as it takes: one line per row. A listing has up to hundreds of
thousands of rows, for which rich's tables take minutes; hence this.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from onc_mirror.utc import time_text
from onc_mirror.wording import printable, shortened, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GAP = "  "
_INDENT = " " * 4
_LEAST_FOLDED = 24
_LONGEST_CELL = 400


class Size(int):
    """A number of bytes, shown as people read it."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a table.

    Attributes:
        name: Its heading.
        telling: Its cells, empty where they say nothing: what is missing, or zero.
        cells: Its cells as shown.
        width: Of the widest of heading and cells.
        numeric: Whether it stands right.
    """

    name: str
    telling: list[str]
    cells: list[str]
    width: int
    numeric: bool

    @property
    def says_something(self) -> bool:
        return any(self.telling)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows below a title; numbers stand right, sizes and times are readable, what is missing is empty.

    Where the terminal is too narrow, columns without anything in them are left out, then the last one folds, as long
    as that leaves it room; else each row is a paragraph that begins with its first cell.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    if not rows:
        click.echo(click.style(title, bold=True))
        return
    table = [_column(name, [row[number] for row in rows]) for number, name in enumerate(columns)]
    if _room_for_last(table, width) < table[-1].width:
        table = [table[0], *(column for column in table[1:] if column.says_something)]
    room = _room_for_last(table, width)
    fits = room >= table[-1].width or (not table[-1].numeric and room >= _LEAST_FOLDED)
    lines = _lines(table, room) if fits else _paragraphs(table, width)
    click.echo("\n".join([click.style(title, bold=True), *lines, ""]))


def print_text(text: str) -> None:
    """Print a paragraph; the edge of a terminal cuts no word of it."""
    text = printable(text)
    if sys.stdout.isatty():
        width = max(shutil.get_terminal_size().columns, _LEAST_FOLDED)
        text = textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
    click.echo(text)


def readable(text: str) -> str:
    """Return `text` for one cell or line: printable, and cut where it is far too long."""
    return shortened(printable(text), _LONGEST_CELL)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Size):
        return size_text(value)
    return time_text(value, "seconds") if isinstance(value, datetime) else readable(str(value))


def _column(name: str, values: Sequence[Any]) -> _Column:
    cells = [_cell(value) for value in values]
    return _Column(
        name,
        [cell if value != 0 else "" for cell, value in zip(cells, values, strict=True)],
        cells,
        max(map(len, [name, *cells])),
        any(isinstance(value, int) for value in values),
    )


def _room_for_last(table: Sequence[_Column], width: int) -> int:
    return width - sum(column.width + len(_GAP) for column in table[:-1])


def _lines(table: Sequence[_Column], room: int) -> Iterator[str]:
    *others, last = table
    widths = [*(column.width for column in others), min(room, last.width)]

    def line(texts: Sequence[str]) -> str:
        cells = zip(table, texts, widths, strict=True)
        parts = (text.rjust(width) if column.numeric else text.ljust(width) for column, text, width in cells)
        return _GAP.join(parts).rstrip()

    yield line([column.name for column in table])
    yield line(["-" * width for width in widths])
    for row in zip(*(column.cells for column in table), strict=True):
        first, *more = textwrap.wrap(row[-1], room) if len(row[-1]) > room else [row[-1]]
        yield line([*row[:-1], first])
        yield from (line([*([""] * len(others)), part]) for part in more)


def _paragraphs(table: Sequence[_Column], width: int) -> Iterator[str]:
    first, *others = table
    for number, cell in enumerate(first.cells):
        yield cell or "-"
        facts = (f"{column.name}: {column.telling[number]}" for column in others if column.telling[number])
        yield from textwrap.wrap(
            ", ".join(facts),
            max(width, _LEAST_FOLDED),
            initial_indent=_INDENT,
            subsequent_indent=_INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
