"""Which files failed, and are held or were given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, select

from onc_mirror.ledger.rows import archive_file, key_of
from onc_mirror.ledger.tables import files
from onc_mirror.model import BY_THE_ROW, Decision, Outcome, State

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from onc_mirror.model import TimeWindow


def read_failures(connection: Connection, device_code: str, window: TimeWindow) -> tuple[Outcome, ...]:
    """Return the failures of a device whose data begin in a window, or at an unknown time; see `Ledger.failures`."""
    given_up = and_(
        files.c.state == State.QUARANTINED, files.c.quarantine_sha256.is_(None), files.c.reason.not_in(BY_THE_ROW)
    )
    query = select(files).where(
        files.c.device_code == key_of(device_code, "")[0],
        or_(files.c.begins_at.is_(None), and_(files.c.begins_at >= window.since, files.c.begins_at < window.until)),
        or_(files.c.state == State.HELD, given_up),
    )
    return tuple(
        Outcome(
            archive_file(row),
            Decision.HELD if row.state == State.HELD else Decision.QUARANTINED,
            row.reason,
            row.detail,
            next_try_at=row.next_try_at,
        )
        for row in connection.execute(query.order_by(files.c.filename))
    )
