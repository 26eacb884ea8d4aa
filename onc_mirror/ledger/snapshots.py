"""The ledger at one moment, as a comparison of archive, ledger and bucket needs it. Imported when asked: pandas."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd
from sqlalchemy import select

from onc_mirror.frames import STRING, TIME
from onc_mirror.ledger.entries import COLUMNS as ENTRY
from onc_mirror.ledger.entries import by_names, entries_frame
from onc_mirror.ledger.recording import is_stray
from onc_mirror.ledger.rows import key_of
from onc_mirror.ledger.tables import files, runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from onc_mirror.model import TimeWindow

_ROW: Mapping[str, Any] = MappingProxyType(
    {**ENTRY, "product_code": STRING, "begins_at": TIME, "ends_at": TIME, "archived_at": TIME}
)

COLUMNS: Mapping[str, Any] = MappingProxyType({**_ROW, "entered_by": STRING})
"""As the files' rows, and which flow's run entered each."""


def read_snapshot(
    connection: Connection, device_code: str, window: TimeWindow, filenames: Iterable[str] = ()
) -> pd.DataFrame:
    """Return the entries of the device's files whose data begin in a window, and of those with these names."""
    device_key = key_of(device_code, "")[0]
    columns = (*(files.c[name] for name in _ROW), runs.c.flow.label("entered_by"), files.c.exact_name)
    entered = files.join(runs, files.c.first_run_id == runs.c.run_id)
    every = select(*columns).select_from(entered).where(files.c.device_code == device_key)
    # What only another device's listing had is not expected in this one's.
    begun = every.where(files.c.begins_at >= window.since, files.c.begins_at < window.until, ~is_stray())
    found = entries_frame(list(connection.execute(begun)), COLUMNS)
    names = sorted({key_of("", name)[1] for name in set(filenames).difference(found["filename"])})
    named = [row for query in by_names(every, names) for row in connection.execute(query)]
    both = pd.concat([found, entries_frame(named, COLUMNS)]) if named else found
    return both.drop_duplicates(["device_code", "filename"]).sort_values("filename", ignore_index=True)
