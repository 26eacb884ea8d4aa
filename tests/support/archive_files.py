"""Archive files as tests need them: one with sensible fields, and hypothesis strategies for any."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from onc_mirror.model import ArchiveFile

DEVICE = "TUMLIDAR001"
# Frames and ledgers cost milliseconds per example, and a busy machine is no failure. Examples may share a ledger.
bounded = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

BEGIN = datetime(2026, 11, 22, 10, tzinfo=UTC)


def archive_file(number: int = 0, device_code: str = DEVICE, **changes: Any) -> ArchiveFile:
    """The five-minute file number `number` since `BEGIN`, archived three hours later, with any field changed."""
    begins_at = BEGIN + timedelta(minutes=5 * number)
    archived_at = begins_at + timedelta(hours=3, milliseconds=941)
    filename = f"{device_code}_{begins_at:%Y%m%dT%H%M%S}.000Z-SDAQ-LIDAR.hdf5"
    fields: dict[str, Any] = {
        "filename": filename,
        "device_code": device_code,
        "product_code": "SMRD",
        "begins_at": begins_at,
        "ends_at": begins_at + timedelta(minutes=5),
        "archived_at": archived_at,
        "modified_at": archived_at + timedelta(seconds=4),
        "stored_bytes": 60_000 + number,
        "uncompressed_bytes": 60_000 + number,
        "row": {"filename": filename, "archiveLocation": "/NA_Archive_04"},
    }
    return ArchiveFile(**fields | changes)


# Any text at all, half surrogate pairs included: JSON can hold them.
any_text = st.text(st.characters(exclude_categories=()))
times = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is given
sizes = st.integers(0, 2**63 - 1)
_json_values = st.none() | st.booleans() | st.integers() | any_text
rows = st.dictionaries(any_text, _json_values, max_size=3)


_device_codes = st.sampled_from([DEVICE, "TUMMINISPECTROMETER002"])


def archive_files(
    filenames: st.SearchStrategy[str] = any_text, device_codes: st.SearchStrategy[str] = _device_codes
) -> st.SearchStrategy[ArchiveFile]:
    """Archive files with any fields that a row can have."""
    words = st.none() | any_text.filter(bool)
    return st.builds(
        ArchiveFile,
        filename=filenames,
        device_code=device_codes,
        product_code=words,
        begins_at=st.none() | times,
        ends_at=st.none() | times,
        archived_at=st.none() | times,
        modified_at=st.none() | times,
        stored_bytes=st.none() | sizes,
        uncompressed_bytes=st.none() | sizes,
        compression=st.none() | st.just("gz"),
        row=rows,
    )
