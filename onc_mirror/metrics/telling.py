"""What is done with the numbers of a run: kept in the ledger, and told in a file. Nothing of it stops a run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from onc_mirror.errors import MirrorError

if TYPE_CHECKING:
    from datetime import datetime

    from onc_mirror.ledger import Ledger
    from onc_mirror.metrics.meter import Meter
    from onc_mirror.settings import MetricsSettings

logger = logging.getLogger(__name__)


def keep_counts(meter: Meter, ledger: Ledger) -> None:
    """Hand what was counted over to the ledger; what it does not take is kept for the next time."""
    try:
        meter.hand_over(ledger.counters)
    except MirrorError as error:
        logger.warning("counts=not-kept reason=%s detail=%r", error.reason, str(error))


def write_metrics(ledger: Ledger, settings: MetricsSettings, now: datetime) -> None:
    """Write all metrics to the file that the settings name, as a whole or not at all; nothing when they name none."""
    if settings.metrics_file is None:
        return
    from onc_mirror.metrics.exposition import write_file  # noqa: PLC0415 - who names no file pays nothing

    try:
        write_file(settings.metrics_file, ledger, settings, now)
    except (MirrorError, OSError) as error:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        logger.error("metrics=not-written file=%s detail=%r", settings.metrics_file, cause)  # noqa: TRY400 - its text is the message, the stack adds nothing
