"""The ledger's tables as the code of this version sees them; `migrations` creates them.

`files` has one row per file that the archive ever listed. Its columns tell three stories that must not be mixed:

* as last listed: the archive's fields of the latest listing, `row` word for word as JSON;
* as settled (`settled_at`, `settled_bytes`): when the archive had last touched the file, and its size, when the state
  was last decided by its bytes or its row, or an attempt at it last failed. The planner compares listing and settled
  facts to see that a file was re-archived, so listing must not touch them;
* the object under `raw/` (`key`, `sha256`, `size_bytes`, `grade`, `mirrored_at`, `last_read_at`): kept whatever the
  state becomes, because the object is kept. `damaged_at` says since when it is known to be missing or not what was
  proven; `damage_found_at` says so also once it is mended. The last bad copy has columns of its own.

`lease_owner` and `lease_until` say who works on it; `revision` counts what became of it, so that a claim can tell
whether the file is still as it was when the work was planned. `found` is what the proven object contains, as JSON;
`changes` makes it. `extension` is that of the name, so that filtered files can be found by it.

`slots` bounds how many transfers of one kind run at once in all processes together. `counters` has what runs have
counted since the ledger began; for metrics alone, no decision hangs on it.

`alerts` is what is wrong, `tellings` who was told of it; `weighed_at` says of a run that alerts were decided by its
report, or by its being killed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from onc_mirror.utc import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Dialect


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC: `timestamptz` on PostgreSQL, text without a zone (and meaning UTC) on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Turn the moment into UTC; refuse one without a zone, which Python would take for local time."""
        if value is None or value.tzinfo is UTC:
            return value
        if value.tzinfo is None:
            raise ValueError(f"The ledger needs times with a zone, not {value}.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Say that the moment is UTC."""
        return None if value is None else as_utc(value)


metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("flow", String, nullable=False),
    Column("window_since", UtcTime),
    Column("window_until", UtcTime),
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("state", String, nullable=False),
    Column("report", Text),
    Column("alive_until", UtcTime),
    Column("process", String),
    Column("link", String),
    Column("weighed_at", UtcTime),
    Index("runs_by_end", "finished_at", "flow", "state", "started_at"),
    Index("runs_by_weighing", "weighed_at"),
)

devices = Table(
    "devices",
    metadata,
    Column("device_code", String, primary_key=True),
    Column("watermark", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("suspicion", String),
    Column("suspicious_since", UtcTime),
)

slots = Table(
    "slots",
    metadata,
    Column("lane", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("owner", String, nullable=False),
    Column("lease_until", UtcTime, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String, primary_key=True),
    Column("device_code", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("value", Double, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    Column("cause", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("since", UtcTime, nullable=False),
    Column("opened_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("count", Integer, nullable=False),
    Column("latest", UtcTime, nullable=False),
    Column("detail", Text, nullable=False),
    Column("run_id", String, nullable=False),
    Column("link", String, nullable=False),
)

tellings = Table(
    "tellings",
    metadata,
    Column("cause", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("receiver", String, primary_key=True),
    Column("told_at", UtcTime, nullable=False),
    Column("count", Integer, nullable=False),
    Column("latest", UtcTime, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("device_code", String, primary_key=True),
    Column("filename", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("state_since", UtcTime, nullable=False),
    Column("reason", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("rule", String),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", UtcTime),
    Column("lease_owner", String),
    Column("lease_until", UtcTime),
    Column("key", String),
    Column("sha256", String),
    Column("size_bytes", BigInteger),
    Column("grade", String),
    Column("mirrored_at", UtcTime),
    Column("last_read_at", UtcTime),
    Column("damaged_at", UtcTime),
    Column("quarantine_key", String),
    Column("quarantine_sha256", String),
    Column("settled_at", UtcTime),
    Column("settled_bytes", BigInteger),
    Column("first_listed_at", UtcTime, nullable=False),
    Column("last_listed_at", UtcTime, nullable=False),
    Column("first_run_id", ForeignKey("runs.run_id"), nullable=False),
    Column("last_run_id", ForeignKey("runs.run_id"), nullable=False),
    Column("product_code", String),
    Column("begins_at", UtcTime),
    Column("ends_at", UtcTime),
    Column("archived_at", UtcTime),
    Column("modified_at", UtcTime),
    Column("stored_bytes", BigInteger),
    Column("uncompressed_bytes", BigInteger),
    Column("compression", String),
    Column("exact_name", Text),
    Column("row", Text, nullable=False),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("found", Text),
    Column("extension", String),
    Column("damage_found_at", UtcTime),
    Index("files_by_state", "device_code", "state", "rule", "extension"),
    Index("files_by_lease", "lease_owner"),
    Index("files_by_archive_time", "device_code", "archived_at"),
    Index("files_by_data_time", "device_code", "begins_at"),
    Index("files_by_reading", "state", "last_read_at"),
    Index("files_by_mirroring", "mirrored_at"),
    Index("files_by_damage", "damage_found_at"),
)
