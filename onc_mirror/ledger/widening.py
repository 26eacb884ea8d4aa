"""Which filtered files a wider selection wants by now, found by the rule that left them out.

It is asked in every hourly run, however many files are filtered, so an index answers it: where nothing is wanted
that was left out, no row is read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, union_all

from onc_mirror.ledger.rows import archive_file, extension_of, key_of
from onc_mirror.ledger.tables import files
from onc_mirror.model import State

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from onc_mirror.model import ArchiveFile
    from onc_mirror.selection import Selection

_EXTENSION = "extension"
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def read_no_longer_filtered(
    connection: Connection, device_code: str, selection: Selection, limit: int
) -> tuple[ArchiveFile, ...]:
    """Return the device's filtered files that `selection` may want, newest data first; at most `limit`.

    It looks at the rule that left a file out, and at no other: the planner has the last word.
    """
    device_key = key_of(device_code, "")[0]
    filtered = select(files.c.filename).where(files.c.device_code == device_key, files.c.state == State.FILTERED)
    other_rules = (filtered.where(files.c.rule < _EXTENSION), filtered.where(files.c.rule > _EXTENSION))
    by_extension = filtered.where(files.c.rule == _EXTENSION)
    if selection.extensions is not None:
        wanted = sorted({extension_of(extension.lower()) for extension in selection.extensions})
        by_extension = by_extension.where(files.c.extension.in_(wanted))
    # Three ranges of the index in a union: of one condition with OR, SQLite would read every filtered row.
    names: Any = union_all(by_extension, *other_rules)
    query = select(files).where(files.c.device_code == device_key, files.c.filename.in_(names))
    # An expression, lest SQLite walk through all of the device's files in the order of their index by time.
    newest = query.order_by(func.coalesce(files.c.begins_at, _LONG_AGO).desc(), files.c.filename).limit(limit)
    return tuple(archive_file(row) for row in connection.execute(newest))
