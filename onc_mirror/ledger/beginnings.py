"""From where a device is listed for the first time: noted before the archive has listed it at all.

Such a device has a row with a watermark like any other, so that a later run reaches back to there, but of a time
before all runs: that of the last listing that moved it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, update

from onc_mirror.ledger.tables import devices
from onc_mirror.ledger.upserting import insert_into

if TYPE_CHECKING:
    from onc_mirror.ledger.transactions import Transactions

NEVER_LISTED = datetime(1970, 1, 1, tzinfo=UTC)
"""When a watermark was moved that no listing has moved yet."""


class Beginnings:
    """The first watermarks in a ledger. Thread-safe.

    Every method may be repeated, and raises `LedgerUnavailableError` when the database cannot be used.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def note(self, device_code: str, begin: datetime) -> None:
        """Note from where a device is to be listed, unless it has a watermark."""
        row = {"device_code": device_code, "watermark": begin, "updated_at": NEVER_LISTED}
        insert = insert_into(devices, self._database.dialect).on_conflict_do_nothing()
        with self._database.writing() as connection:
            connection.execute(insert, row)

    def set_back(self, device_code: str, begin: datetime) -> None:
        """List a device from an earlier time on than was noted; one that the archive has listed stays as it is."""
        never = (devices.c.device_code == device_code, devices.c.updated_at == NEVER_LISTED)
        with self._database.writing() as connection:
            connection.execute(update(devices).where(*never, devices.c.watermark > begin).values(watermark=begin))

    def forget(self, device_code: str) -> None:
        """Forget a device that the archive has never listed."""
        never = (devices.c.device_code == device_code, devices.c.updated_at == NEVER_LISTED)
        with self._database.writing() as connection:
            connection.execute(delete(devices).where(*never))
