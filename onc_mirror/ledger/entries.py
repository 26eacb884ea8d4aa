"""What the planner reads from the ledger, as a DataFrame. Imports pandas, so the ledger imports it when asked."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd
from sqlalchemy import select

from onc_mirror.frames import SIZE, STRING, TIME, typed_column
from onc_mirror.ledger.rows import exact_names, key_of
from onc_mirror.ledger.tables import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Row, Select

COLUMNS: Mapping[str, Any] = MappingProxyType(
    {
        "device_code": STRING,
        "filename": STRING,
        "state": STRING,
        "reason": STRING,
        "detail": STRING,
        "rule": STRING,
        "attempts": SIZE,
        "next_try_at": TIME,
        "settled_at": TIME,
        "settled_bytes": SIZE,
        "key": STRING,
        "sha256": STRING,
        "size_bytes": SIZE,
        "mirrored_at": TIME,
        "revision": SIZE,
    }
)

# Well below SQLite's limit of 32766 parameters; far fewer statements than that are not faster.
_NAMES_AT_ONCE = 1000


def read_entries(connection: Connection, device_code: str, filenames: Iterable[str] | None) -> pd.DataFrame:
    """Return the entries of a device, of all its files or of some; see `Ledger.entries`."""
    device_key = key_of(device_code, "")[0]
    every = select(*(files.c[name] for name in COLUMNS), files.c.exact_name).where(files.c.device_code == device_key)
    if filenames is None:
        return entries_frame(list(connection.execute(every.order_by(files.c.filename))))
    names = sorted({key_of("", filename)[1] for filename in filenames})
    return entries_frame([row for query in by_names(every, names) for row in connection.execute(query)])


def by_names(every: Select[Any], names: Sequence[str]) -> Iterable[Select[Any]]:
    """Return `every` in as many statements as it takes to restrict it to these names of `rows.key_of`."""
    for start in range(0, len(names), _NAMES_AT_ONCE):
        yield every.where(files.c.filename.in_(names[start : start + _NAMES_AT_ONCE]))


def entries_frame(rows: Sequence[Row[Any]], columns: Mapping[str, Any] = COLUMNS) -> pd.DataFrame:
    """Return rows of `files` as a frame, names as the archive spells them."""
    frame = pd.DataFrame(
        {name: typed_column([getattr(row, name) for row in rows], kind) for name, kind in columns.items()}
    )
    for index, row in enumerate(rows):
        if row.exact_name is not None:
            device_code, filename = exact_names(row.device_code, row.filename, row.exact_name)
            frame.loc[index, ["device_code", "filename"]] = device_code, filename
    return frame
