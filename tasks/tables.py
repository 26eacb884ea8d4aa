"""Tables of a run where the Prefect UI shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect.artifacts import create_table_artifact

from onc_mirror.markup import link, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_ROWS = 200
"""The UI shows a table as a whole, and a database row holds it."""

_LONGEST_CELL = 1000


@dataclass(frozen=True, slots=True)
class Link:
    """A cell that leads somewhere.

    Attributes:
        text: What is shown.
        url: Where it leads; None: nowhere.
    """

    text: str
    url: str | None


def show_table(
    key: str,
    description: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    nothing: Mapping[str, Any],
    total: int | None = None,
) -> None:
    """Put rows, and no more than `MOST_ROWS`, where the Prefect UI shows them.

    Texts in them may be whatever an archive lists, and the UI takes each for Markdown.

    Args:
        key: Of the artifact.
        description: What the rows are.
        rows: The rows, all with the same columns.
        nothing: The one row that is shown where there are none: an empty table has no columns.
        total: How many rows there would be, where `rows` are only the first.
    """
    shown, total = rows[:MOST_ROWS], total or len(rows)
    if len(shown) < total:
        description += f" The first {len(shown)} of {total}."
    table = [{name: _cell(value) for name, value in row.items()} for row in shown]
    create_table_artifact(key=key, table=table or [dict(nothing)], description=plain(description))


def _cell(value: Any) -> Any:
    if isinstance(value, Link):
        return link(value.text, value.url)
    return plain(value, _LONGEST_CELL) if isinstance(value, str) else value
