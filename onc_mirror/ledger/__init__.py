"""The ledger: what became of every archive file ever listed. The only package that knows SQL.

SQLite in WAL mode by default, PostgreSQL when several workers share it; `open_ledger` creates or migrates either.
The ledger is not the truth for bytes (that is the bucket, which describes itself), so it may be lost and rebuilt.
"""

from onc_mirror.ledger.dossiers import Dossier
from onc_mirror.ledger.ledger import Ledger
from onc_mirror.ledger.opening import NOTHING_RAN, NoLedgerError, open_ledger
from onc_mirror.ledger.summarising import DeviceSummary, FileRecord, RunRecord

__all__ = [
    "NOTHING_RAN",
    "DeviceSummary",
    "Dossier",
    "FileRecord",
    "Ledger",
    "NoLedgerError",
    "RunRecord",
    "open_ledger",
]
