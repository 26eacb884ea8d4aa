"""Which listed files were ever asked of this mirror, so that one that is not there has been missed. Pure.

Who asks for a range of days, or for some files of an hour, asks for no others: what lies between a backfill and the
hourly runs is nobody's duty, and a reconcile while a backfill is at work finds nothing missed in the days to come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from onc_mirror.flow_names import HOURLY, OF_DAYS, REBUILD

if TYPE_CHECKING:
    from datetime import datetime


def is_ours(files: pd.DataFrame, began_at: datetime | None, watermark: datetime | None) -> pd.Series[bool]:
    """Whether each file is one that the mirror should have: known, come since it began, or of a day it was asked for.

    Args:
        files: One row per file, with `state`, `present`, `listed`, `archived_at`, `begins_at`, `product_code` and
            `entered_by`.
        began_at: When the first hourly run began, None when there was none.
        watermark: The device's; None when there is none.
    """
    ours = files["state"].notna() | files["present"] | files["archived_at"].isna()
    for since in (time for time in (_began(files, began_at), watermark) if time is not None):
        ours |= files["archived_at"].ge(since).fillna(False).astype(bool)
    # A backfill lists whole days, and enters all that it wants of one at once.
    days = pd.MultiIndex.from_arrays([files["begins_at"].dt.floor("D"), files["product_code"].fillna("")])
    return ours | days.isin(days[files["entered_by"].isin(OF_DAYS)])


def _began(files: pd.DataFrame, began_at: datetime | None) -> datetime | None:
    """From when on all that the archive takes in is the mirror's duty.

    What an hourly run has entered tells. When the ledger was lost, what the bucket holds does, which does not say how
    it came there.
    """
    found_in_bucket = files["state"].isna() & files["present"]
    telling = found_in_bucket | files["entered_by"].isin((HOURLY, REBUILD))
    earliest = files["archived_at"][files["listed"] & telling].min()
    known = (began_at, None if pd.isna(earliest) else earliest)
    return min((time for time in known if time is not None), default=None)
