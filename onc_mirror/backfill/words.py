"""What a dry run of a backfill tells in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.wording import counted, days_text, duration_text, size_text

if TYPE_CHECKING:
    from onc_mirror.backfill.forecasting import Forecast


def forecast_sentence(forecast: Forecast) -> str:
    """What would be fetched, what not and why, and how long it may take."""
    rest = forecast.rest
    others = {
        "mirrored already": rest.already,
        "held": rest.held,
        "quarantined": rest.quarantined,
        "filtered": sum(rest.filtered.values()),
        "gone": rest.gone,
    }
    listed = counted(rest.listed + forecast.files, "file")
    ends = "".join(f", {number} {name}" for name, number in others.items() if number)
    unsized = sum(day.unsized for day in forecast.days)
    unknown = f" (the archive gives no size of {unsized} of them)" if unsized else ""
    told = [
        (
            f"{listed} listed, {days_text(forecast.window)} of {counted(len(forecast.devices), 'device')}:"
            f" {forecast.files} to be fetched, {size_text(forecast.bytes)}{unknown}{ends}."
        ),
        *_time(forecast),
    ]
    if rest.errors:
        told.append(f"{counted(len(rest.errors), 'day')} of devices could not be listed, so there may be more.")
    return " ".join(told)


def _time(forecast: Forecast) -> list[str]:
    if not forecast.files:
        return []
    if forecast.speed is None or forecast.seconds is None:
        return ["How long that takes is unknown: no earlier run was measured."]
    speed = forecast.speed
    return [
        (
            f"That takes about {duration_text(forecast.seconds)} at the speed of {counted(speed.runs, 'earlier run')}"
            f" of {speed.flow}: {size_text(speed.bytes_per_s)}/s, {speed.files_per_s:.1f} files/s."
        )
    ]
