"""What the report of a run says of devices that failed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from onc_mirror.faults import named
from onc_mirror.report.document import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onc_mirror.errors import UnreachableError

logger = logging.getLogger(__name__)


def failure_of(device_code: str, error: Exception) -> DeviceError:
    """Log what went wrong with a device, whoever is to blame, and return it for the report."""
    cause = named(error)
    logger.error("device=%s decision=failed reason=%s detail=%r", device_code, cause.reason, str(cause))
    return DeviceError(device_code, cause.reason, str(cause))


def unreached(device_codes: Iterable[str], cause: UnreachableError) -> list[DeviceError]:
    """Return what the report says of each device when the archive cannot be reached: the same cause."""
    return [DeviceError(code, cause.reason, str(cause)) for code in device_codes]
