"""Deployments, data products and devices as the archive's discovery calls give them. Pure.

Fields are those of `/api/deployments`, `/api/dataProducts` and `/api/devices`; what is missing or null is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onc_mirror.archive.rows import parse_time, read_text

if TYPE_CHECKING:
    from datetime import datetime

    from onc_mirror.model import TimeWindow


@dataclass(frozen=True, slots=True)
class Deployment:
    """A stay of a device at a location.

    Attributes:
        device_code: Device code.
        location: Location code, or None.
        category: Device category code, or None.
        begins_at: When it went in, UTC; None when the archive does not say.
        ends_at: When it came out, UTC; None while it is in.
    """

    device_code: str
    location: str | None
    category: str | None
    begins_at: datetime | None
    ends_at: datetime | None

    def overlaps(self, window: TimeWindow) -> bool:
        """Whether the device was in at any instant of `window`."""
        begun = self.begins_at is None or self.begins_at < window.until
        return begun and (self.ends_at is None or self.ends_at > window.since)


@dataclass(frozen=True, slots=True)
class Product:
    """A data product in one format; the archive has one row per code and extension.

    Attributes:
        code: Data product code such as `LIDARSD`.
        name: Its name at ONC.
        extension: Extension without a dot.
    """

    code: str
    name: str
    extension: str


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device that the archive knows.

    Attributes:
        code: Device code, exact including case.
        name: Its name at ONC.
        category: Device category code, or None.
    """

    code: str
    name: str
    category: str | None


def parse_deployment(row: dict[str, Any], device_code: str) -> Deployment:
    """Read one row of `/api/deployments`; `device_code` stands in where it names no device."""
    return Deployment(
        read_text(row.get("deviceCode")) or device_code,
        read_text(row.get("locationCode")),
        read_text(row.get("deviceCategoryCode")),
        parse_time(row.get("begin")),
        parse_time(row.get("end")),
    )


def parse_product(row: dict[str, Any]) -> Product:
    """Read one row of `/api/dataProducts`."""
    return Product(
        read_text(row.get("dataProductCode")) or "",
        read_text(row.get("dataProductName")) or "",
        (read_text(row.get("extension")) or "").lstrip(".").lower(),
    )


def parse_device(row: dict[str, Any]) -> KnownDevice:
    """Read one row of `/api/devices`."""
    return KnownDevice(
        read_text(row.get("deviceCode")) or "",
        read_text(row.get("deviceName")) or "",
        read_text(row.get("deviceCategoryCode")),
    )
