"""A range of data cut into slices of one device and one day, and into parts for several runs. Pure.

A slice has the files whose data begin on its day, UTC: the day of the bucket's folders, and of what a reconcile
compares. So each file is in one slice, whatever midnight its data run over. Slices and parts are generated: ten years
of ten devices are 36,500 slices, and nobody holds them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.layout import key_day
from onc_mirror.model import TimeWindow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onc_mirror.model import ArchiveFile

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Slice:
    """One device on one day.

    Attributes:
        device_code: The device.
        window: Of data time, from one midnight UTC to the next.
    """

    device_code: str
    window: TimeWindow

    def __str__(self) -> str:
        return f"{self.device_code} {self.window.since:%Y-%m-%d}"

    def has(self, file: ArchiveFile) -> bool:
        """Say whether a file belongs here by the begin of its data, else by the time in its name.

        One with neither belongs to every slice for which the archive lists it: rather twice than never.
        """
        if file.begins_at is not None:
            return self.window.since <= file.begins_at < self.window.until
        day = key_day(file.filename)
        return day is None or day == self.window.since.date()


@dataclass(frozen=True, slots=True)
class Part:
    """What one of several runs does.

    Attributes:
        device_codes: Its devices.
        window: Of data time, whole days.
    """

    device_codes: tuple[str, ...]
    window: TimeWindow

    def __str__(self) -> str:
        last = self.window.until - DAY
        codes = self.device_codes
        who = codes[0] if len(codes) == 1 else f"{len(codes)} devices"
        return f"{self.window.since:%Y-%m-%d} to {last:%Y-%m-%d}, {who}"


def cut_slices(device_codes: Sequence[str], days: TimeWindow) -> Iterator[Slice]:
    """Cut whole days into slices, the newest day first: new data are wanted soonest.

    >>> from datetime import UTC, datetime
    >>> days = TimeWindow(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC))
    >>> [str(one) for one in cut_slices(["A", "B"], days)]
    ['A 2026-11-21', 'B 2026-11-21', 'A 2026-11-20', 'B 2026-11-20']
    """
    until = days.until
    while until > days.since:
        for code in device_codes:
            yield Slice(code, TimeWindow(until - DAY, until))
        until -= DAY


def count_slices(device_codes: Sequence[str], days: TimeWindow) -> int:
    """How many slices `cut_slices` cuts."""
    return len(device_codes) * ((days.until - days.since) // DAY)


def cut_parts(device_codes: Sequence[str], days: TimeWindow, most_slices: int) -> Iterator[Part]:
    """Cut whole days into parts of at most `most_slices` slices, the newest days first.

    A part has all devices and as many days as fit; only when one day of all is too much, it has some of them.
    """
    days_each = max(1, most_slices // max(1, len(device_codes)))
    until = days.until
    while until > days.since:
        since = max(days.since, until - days_each * DAY)
        for start in range(0, len(device_codes), most_slices):
            yield Part(tuple(device_codes[start : start + most_slices]), TimeWindow(since, until))
        until = since
