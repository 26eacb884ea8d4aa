"""Which archive files exist: a pure function of the settings, the seed and the clock.

Time is cut into slots per line of files; a slot's file is computed on demand from its number, so that the past
costs nothing until it is asked for. Nothing here knows bytes or sizes, see `contents`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from infra.sandbox.archive.catalogue import DEPLOYED_AT, DEVICES, SeaDevice, Stream
from infra.sandbox.archive.times import DAY, HOUR, SECOND, stamp, to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.sandbox.archive.config import ArchiveConfig

FOREVER: Final = 2**53
_NAME = re.compile(r"(?P<device>.+)_(?P<time>\d{8}T\d{6}\.\d{3}Z)(?:-(?P<tail>[^.]+))?\.(?P<extension>[a-z0-9]+)")
_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of milliseconds; the default is all of time."""

    since: int = -FOREVER
    until: int = FOREVER


ALWAYS: Final = Span()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files are asked for.

    Attributes:
        data: They overlap this; the real archive was seen to select by overlap, not by begin.
        archived: They were archived within this.
        extension: File extension; None for all.
        product: Data product code; None for all.
    """

    data: Span = ALWAYS
    archived: Span = ALWAYS
    extension: str | None = None
    product: str | None = None

    def takes(self, file: SeaFile) -> bool:
        """Whether a file is wanted, whenever it was archived."""
        stream = file.line.stream
        return (
            file.end > self.data.since
            and file.begin < self.data.until
            and self.extension in {None, stream.extension}
            and self.product in {None, stream.product}
        )


@dataclass(frozen=True, slots=True)
class SeaFile:
    """A file of the archive.

    Attributes:
        line: The line of files it belongs to.
        slot: Its number in the line.
        begin: First instant of the data, ms.
        end: Instant after the data, ms.
        archived: When the archive has it, ms.
        draw: 64 random bits of its own.
    """

    line: Line
    slot: int
    begin: int
    end: int
    archived: int
    draw: int

    @property
    def name(self) -> str:
        """`<deviceCode>_<time>[-<TAIL>].<ext>`."""
        tail = f"-{self.line.stream.tail}" if self.line.stream.tail else ""
        return f"{self.line.device.code}_{stamp(self.begin)}{tail}.{self.line.stream.extension}"

    @property
    def modified(self) -> int:
        """`modifyDate`: 3 to 14 s after `archivedDate`, as seen in real rows."""
        return self.archived + 3 * SECOND + (self.draw >> 20) % (11 * SECOND)


class Line:
    """One line of files of one device under one configuration.

    Attributes:
        device: Whose files these are.
        stream: What kind of files.
        period: Length of a slot, ms.
    """

    def __init__(self, device: SeaDevice, stream: Stream, config: ArchiveConfig) -> None:
        self.device = device
        self.stream = stream
        self.period = HOUR if config.cadence == "hourly" else stream.period
        self._odd = stream.odd and config.cadence == "real"
        self._delay = to_span(config.archive_delay.total_seconds())
        self._jitter = max(1, to_span(config.archive_jitter.total_seconds()))
        begins = [config.data_start, DEPLOYED_AT, *([stream.since] if stream.since else [])]
        ends = [stream.until, device.ended, config.silent.get(device.code)]
        self._begin = max(map(to_ms, begins))
        self._end = min((to_ms(end) for end in ends if end is not None), default=FOREVER)
        identity = f"{config.seed}/{device.code}/{stream.product}/{stream.tail}/{stream.extra}"
        self._salt = int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=8).digest(), "big")

    def draw(self, slot: int) -> int:
        """64 random bits of a slot (the finaliser of splitmix64)."""
        z = (self._salt + (slot + 1) * 0x9E3779B97F4A7C15) & _MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def file(self, slot: int) -> SeaFile | None:
        """The file of a slot, if there is one."""
        draw = self.draw(slot)
        begin, end = slot * self.period, (slot + 1) * self.period
        if self.stream.extra:
            if draw % 3:
                return None
            begin += (draw >> 8) % (self.period - HOUR)
            end = begin + (5 + draw % 15) * 60 * SECOND
        elif self._odd:
            begin += (draw >> 8) % (self.period // 4)
        if begin < self._begin or begin >= self._end:
            return None
        return SeaFile(self, slot, begin, end, end + self._delay + (draw >> 32) % self._jitter, draw)

    def files(self, data: Span, archived: Span) -> Iterator[SeaFile]:
        """Files whose data overlap `data` and that were archived within `archived`, in the order of their begin."""
        first = max(data.since, self._begin, archived.since - self._delay - self._jitter - self.period)
        last = min(data.until, self._end, archived.until - self._delay + 1)
        for slot in range(first // self.period, last // self.period + 1):
            file = self.file(slot)
            if (
                file is not None
                and file.end > data.since
                and file.begin < data.until
                and archived.since <= file.archived < archived.until
            ):
                yield file

    def named(self, begin: int) -> SeaFile | None:
        """The file that begins at this very millisecond."""
        file = self.file(begin // self.period)
        return file if file is not None and file.begin == begin else None


def to_span(seconds: float) -> int:
    """Seconds as whole milliseconds."""
    return round(seconds * SECOND)


def in_order(files: Iterable[SeaFile]) -> list[SeaFile]:
    """By begin and then by what follows the time in the name."""
    return sorted(files, key=lambda file: (file.begin, file.line.stream.tail, file.line.stream.extension))


class Sea:
    """All files of all devices."""

    def __init__(self, config: ArchiveConfig) -> None:
        codes = config.devices
        self.devices = {
            device.code: replace(device, ended=config.ended.get(device.code, device.ended))
            for device in DEVICES
            if codes is None or device.code in codes
        }
        self._lines = {
            code: tuple(
                Line(device, stream, config)
                for stream in device.streams
                if not (stream.extra and config.cadence == "hourly")
            )
            for code, device in self.devices.items()
        }

    def lines(self, device_code: str) -> tuple[Line, ...]:
        """The lines of files of a device."""
        return self._lines[device_code]

    def files(self, device_code: str, wanted: Wanted, now: int) -> list[SeaFile]:
        """Files of a device that the archive has at `now`, by begin and then name."""
        archived = Span(wanted.archived.since, min(wanted.archived.until, now + 1))
        found = [
            file
            for line in self._lines[device_code]
            if wanted.extension in {None, line.stream.extension} and wanted.product in {None, line.stream.product}
            for file in line.files(wanted.data, archived)
        ]
        return in_order(found)

    def named(self, filename: str) -> SeaFile | None:
        """The file of this name, archived by now or not."""
        found = _NAME.fullmatch(filename)
        if found is None or found["device"] not in self._lines:
            return None
        begin = _begin_of(found["time"])
        for line in self._lines[found["device"]]:
            if (line.stream.tail, line.stream.extension) == (found["tail"] or "", found["extension"]):
                file = line.named(begin)
                if file is not None and file.name == filename:
                    return file
        return None


def _begin_of(text: str) -> int:
    try:
        moment = datetime.strptime(text, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        return -DAY
    return to_ms(moment)
