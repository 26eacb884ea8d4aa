"""Every setting of the stand-in. What is unknown about the real archive is a setting: both answers can be tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_TOKEN = "sandbox-token"  # noqa: S105  the sandbox keeps no secret
ROW_LIMIT = 100_000

Cadence = Literal["hourly", "real"]
Paging = Literal["page", "dateFrom"]
Size = Literal["tiny", "realistic"] | int


@dataclass(frozen=True, slots=True)
class ArchiveConfig:
    """How the stand-in behaves.

    Attributes:
        token: The one token that is accepted; `[A-Za-z0-9-]` only, as the `onc` client strips the rest.
        cadence: `hourly`: every product of every device once an hour. `real`: hourly camera and PMT spectrometer,
            daily module data and logs, odd start times, extra scans.
        size: `tiny` (about 20-60 kB per HDF5 file), `realistic`, or about that many bytes for every HDF5 file.
        sizes: Sizes by data product code that overrule `size`.
        versions: Layout versions by data product code; unset ones follow the history of the real files.
        paging: Whether `next.parameters` moves `page` or `dateFrom`; unknown for the real archive.
        seed: Another seed gives another archive.
        archive_delay: Time from the end of the data to `archivedDate`, at least.
        archive_jitter: Upper bound of what is added to it, differently for each file.
        data_start: Begin of the oldest data.
        ended: Deployments that ended, by device code; adds to those of the catalogue.
        silent: Devices that are deployed but have no data since then.
        devices: Device codes that exist; None for all of the catalogue.
        default_row_limit: Rows of a page when `rowLimit` is absent or unusable; the real one is 100,000.
        strict_dates: Whether the archive-file calls refuse swapped and future dates (23, 25) as discovery calls do.
        messages: Whether listings carry a `messages` key.
    """

    token: str = DEFAULT_TOKEN
    cadence: Cadence = "hourly"
    size: Size = "tiny"
    sizes: Mapping[str, Size] = field(default_factory=lambda: MappingProxyType({}))
    versions: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    paging: Paging = "page"
    seed: int = 0
    archive_delay: timedelta = timedelta(minutes=1)
    archive_jitter: timedelta = timedelta(minutes=2)
    data_start: datetime = datetime(2020, 10, 1, tzinfo=UTC)
    ended: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    silent: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    devices: tuple[str, ...] | None = None
    default_row_limit: int = ROW_LIMIT
    strict_dates: bool = True
    messages: bool = False
