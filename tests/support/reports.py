"""Reports for tests, from outcomes in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.report.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from onc_mirror.model import Outcome
    from onc_mirror.report.document import DeviceError, RunReport


def build_report(  # noqa: PLR0913 - a report has so many independent facts
    *,
    run_id: str,
    flow: str,
    window: tuple[datetime | None, datetime | None],
    devices: Iterable[str],
    outcomes: Iterable[Outcome],
    errors: Iterable[DeviceError],
    seconds: float,
) -> RunReport:
    """Count the outcomes of a run, one per listed file, and name those that matter.

    Args:
        run_id: The run's name.
        flow: What ran.
        window: Begin and end; None where each device had its own.
        devices: Codes of the devices asked, whether they could be listed or not.
        outcomes: The end of every listed file; none is `FETCH`.
        errors: Devices that could not be listed, and what went wrong with the run itself.
        seconds: How long the run took.

    Raises:
        ValueError: An outcome is `FETCH`, which is no end.
    """
    tally = Tally(devices)
    tally.add(outcomes)
    tally.fail(*errors)
    return tally.report(run_id=run_id, flow=flow, window=window, seconds=seconds)
