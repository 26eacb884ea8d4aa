"""Archive, ledger and bucket as small tables, to be compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from onc_mirror.flow_names import HOURLY
from onc_mirror.frames import listing_frame, typed_column
from onc_mirror.layout import mirrored_key
from onc_mirror.ledger.entries import COLUMNS as ENTRY
from onc_mirror.ledger.snapshots import COLUMNS
from onc_mirror.model import StoredObject
from onc_mirror.planning import plan
from onc_mirror.reconcile.comparing import Worlds, compare, objects_frame, spans_frame
from onc_mirror.selection import Selection
from tests.support.archive_files import BEGIN, DEVICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from onc_mirror.model import ArchiveFile

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HDF5 = Selection(extensions=frozenset({"hdf5"}))


def sha_of(file: ArchiveFile) -> str:
    return f"{file.stored_bytes:064x}"


def entry(file: ArchiveFile, state: str = "mirrored", **changes: Any) -> dict[str, Any]:
    """What the ledger says of a file in a state."""
    fields: dict[str, Any] = {
        "device_code": file.device_code,
        "filename": file.filename,
        "state": state,
        "reason": "",
        "detail": "",
        "attempts": 0,
        "revision": 1,
        "product_code": file.product_code,
        "begins_at": file.begins_at,
        "ends_at": file.ends_at,
        "archived_at": file.archived_at,
        "entered_by": HOURLY,
    }
    if state in {"mirrored", "quarantined"}:
        fields |= {"settled_at": file.changed_at, "settled_bytes": file.expected_bytes}
    if state in {"mirrored", "gone"}:
        proven = {"key": mirrored_key(file), "sha256": sha_of(file), "size_bytes": file.expected_bytes}
        fields |= {**proven, "mirrored_at": NOW}
    return fields | changes


def snapshot(entries: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    rows = list(entries)
    return pd.DataFrame({name: typed_column([row.get(name) for row in rows], kind) for name, kind in COLUMNS.items()})


def stored(file: ArchiveFile, **changes: Any) -> StoredObject:
    """The object that holds a file, as a look at it shows it."""
    size = file.expected_bytes or 0
    told = {"sha256": sha_of(file)}
    return replace(StoredObject(mirrored_key(file), size, told, modified_at=NOW - timedelta(hours=1)), **changes)


@dataclass(slots=True)
class Scene:
    """What the archive lists, what the ledger knows by file name, and what the bucket has by key."""

    archive: list[ArchiveFile] = field(default_factory=list)
    ledger: dict[str, dict[str, Any]] = field(default_factory=dict)
    bucket: dict[str, StoredObject] = field(default_factory=dict)
    later: dict[str, dict[str, Any]] = field(default_factory=dict)
    short: list[tuple[str, str, datetime, datetime]] = field(default_factory=list)
    watermark: datetime | None = NOW
    began_at: datetime | None = BEGIN

    def mirror(self, file: ArchiveFile, **changes: Any) -> None:
        """Add a file that is mirrored and well."""
        self.archive.append(file)
        self.ledger[file.filename] = entry(file, **changes)
        self.bucket[mirrored_key(file)] = stored(file)

    def worlds(self) -> Worlds:
        before = snapshot(self.ledger.values())
        planned = plan(listing_frame(self.archive), before[list(ENTRY)], HDF5, now=NOW, device_code=DEVICE)
        after = snapshot((self.ledger | self.later).values())
        objects = objects_frame((), self.bucket)
        return Worlds(planned, before, objects, after, spans_frame(self.short))

    def compared(self) -> pd.DataFrame:
        return compare(self.worlds(), watermark=self.watermark, began_at=self.began_at)

    def standings(self) -> dict[str, tuple[str, str]]:
        """Sign and standing by file name."""
        rows = self.compared()
        return {
            name: (sign, standing)
            for name, sign, standing in zip(rows["filename"], rows["sign"], rows["standing"], strict=True)
        }
