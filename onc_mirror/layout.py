"""Where an archive file lives in the bucket, and back. Pure; the only file that knows the bucket's layout.

    raw/<deviceCode>/<YYYY>/<MM>/<DD>/<filename>      day of the archive's dateFrom, UTC
    quarantine/<deviceCode>/<filename>.<sha256[:8]>   plus .json with the reason and the archive row
    superseded/<deviceCode>/<filename>.<sha256[:8]>
    reports/<flow>/<YYYY>/<MM>/<DD>/<run id>.json

With the layout `strawb` mirrored files are `<devicecode in lower case>/<YYYY_MM>/<filename>`, so that the
strawb package can use the bucket as its `raw_data_dir`; the other prefixes stay. A change of the layout moves
nothing that is there (docs/decisions/0006).

Every key made here is under its prefix: a name that could leave it is refused with `UnsafeNameError`.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Literal

from onc_mirror.errors import UnsafeNameError

if TYPE_CHECKING:
    from datetime import datetime

    from onc_mirror.model import ArchiveFile, TimeWindow

Layout = Literal["raw", "strawb"]

# S3 keys hold 1024 bytes; file systems hold 255 per name, and quarantine adds ".<sha8>.json" to it.
MAX_NAME_BYTES = 240

_INSTANT = timedelta(microseconds=1)
_SAFE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+=@~ -]*[A-Za-z0-9_+=@~-])?")
_KEY_DAY = re.compile(r"raw/[^/]+/(?P<year>\d{4})/(?P<month>\d{2})/(?P<day>\d{2})/")
_KEYS = (
    r"raw/(?P<device>[^/]+)/\d{4}/\d{2}/\d{2}/(?P<mirrored>[^/]+)",
    r"quarantine/(?P<device>[^/]+)/(?P<quarantined>[^/]+)\.(?P<sha8>[0-9a-f]{8})",
    r"quarantine/(?P<device>[^/]+)/(?P<note>[^/]+)\.(?P<sha8>[0-9a-f]{8})\.json",
    r"superseded/(?P<device>[^/]+)/(?P<superseded>[^/]+)\.(?P<sha8>[0-9a-f]{8})",
    r"reports/[^/]+/\d{4}/\d{2}/\d{2}/(?P<report>[^/]+)\.json",
    r"(?P<device>[^/A-Z]+)/\d{4}_\d{2}/(?P<mirrored>[^/]+)",
)
_PLACES = tuple(re.compile(pattern) for pattern in _KEYS)
_NAME_TIME = re.compile(r"_(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})T\d{6}\.\d{3}Z")


class Kind(enum.StrEnum):
    """What is kept under a key."""

    MIRRORED = "mirrored"
    QUARANTINED = "quarantined"
    NOTE = "note"
    SUPERSEDED = "superseded"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Place:
    """What a key says of itself.

    Attributes:
        kind: What is kept there.
        device: Device code, in lower case where the layout has it so; empty for a report.
        name: Of the file; of a report the run.
    """

    kind: Kind
    device: str
    name: str


def check_name(name: str) -> str:
    """Return `name` when it can be one path segment of a key.

    >>> check_name("TUMLIDAR001_20210503T000000.000Z-SDAQ-LIDAR.hdf5")
    'TUMLIDAR001_20210503T000000.000Z-SDAQ-LIDAR.hdf5'

    Raises:
        UnsafeNameError: It is empty, too long, or holds a separator, a control character or `..`.
    """
    # JSON can hold half a surrogate pair, which plain UTF-8 cannot.
    if len(name.encode(errors="surrogatepass")) > MAX_NAME_BYTES:
        raise UnsafeNameError(f"The name is longer than {MAX_NAME_BYTES} bytes.", subject=repr(name[:60]))
    if ".." in name or not _SAFE.fullmatch(name):
        raise UnsafeNameError("The name cannot be a part of a key.", subject=repr(name))
    return name


def mirrored_key(file: ArchiveFile, layout: Layout = "raw") -> str:
    """Key of the proven file.

    The day is that of `dateFrom`; a row without one falls back to the time in its name.

    Raises:
        UnsafeNameError: The filename or device code cannot be part of a key, or neither row nor name has a time.
    """
    name, device = check_name(file.filename), check_name(file.device_code)
    year, month, day = _day(file)
    if layout == "strawb":
        return f"{device.lower()}/{year}_{month}/{name}"
    return f"raw/{device}/{year}/{month}/{day}/{name}"


def device_folder(device_code: str, layout: Layout = "raw") -> str:
    """Where all mirrored files of a device are, with a slash at the end.

    >>> device_folder("TUMLIDAR001"), device_folder("TUMLIDAR001", "strawb")
    ('raw/TUMLIDAR001/', 'tumlidar001/')

    Raises:
        UnsafeNameError: The device code cannot be part of a key.
    """
    device = check_name(device_code)
    return f"{device.lower()}/" if layout == "strawb" else f"raw/{device}/"


def quarantine_key(file: ArchiveFile, sha256: str) -> str:
    """Key of a bad copy; its reason is beside it under the same key plus `.json`."""
    return f"quarantine/{check_name(file.device_code)}/{check_name(file.filename)}.{sha256[:8]}"


def superseded_key(file: ArchiveFile, sha256: str) -> str:
    """Key of a copy that the archive has since replaced under the same name."""
    return f"superseded/{check_name(file.device_code)}/{check_name(file.filename)}.{sha256[:8]}"


def reports_folder(flow: str) -> str:
    """Where all reports of a flow are, with a slash at the end."""
    return f"reports/{check_name(flow)}/"


def report_key(flow: str, run_id: str, began_at: datetime) -> str:
    """Key of a run's report."""
    return f"{reports_folder(flow)}{began_at:%Y/%m/%d}/{check_name(run_id)}.json"


def day_folders(device_code: str, window: TimeWindow, layout: Layout = "raw") -> tuple[str, ...]:
    """Prefixes of the keys of all mirrored files of a device whose data begin in a window, each with its slash.

    A folder of the layout `strawb` is a month, so it holds others as well; `key_day` tells them apart.

    >>> from datetime import UTC, datetime
    >>> from onc_mirror.model import TimeWindow
    >>> march = TimeWindow(datetime(2022, 2, 28, 23, tzinfo=UTC), datetime(2022, 3, 2, tzinfo=UTC))
    >>> day_folders("TUMLIDAR001", march)
    ('raw/TUMLIDAR001/2022/02/28/', 'raw/TUMLIDAR001/2022/03/01/')
    >>> day_folders("TUMLIDAR001", march, "strawb")
    ('tumlidar001/2022_02/', 'tumlidar001/2022_03/')

    Raises:
        UnsafeNameError: The device code cannot be part of a key.
    """
    device = check_name(device_code)
    first, last = window.since.astimezone(UTC).date(), (window.until - _INSTANT).astimezone(UTC).date()
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    if layout == "strawb":
        return tuple(dict.fromkeys(f"{device.lower()}/{day.year:04}_{day.month:02}/" for day in days))
    return tuple(f"raw/{device}/{day.year:04}/{day.month:02}/{day.day:02}/" for day in days)


def key_day(key: str) -> date | None:
    """The day of a mirrored file's data by its key, None when it says none.

    >>> key_day("raw/TUMLIDAR001/2022/02/28/notes.txt"), key_day("tumlidar001/2022_02/notes.txt")
    (datetime.date(2022, 2, 28), None)
    """
    found = _KEY_DAY.match(key) or _NAME_TIME.search(key)
    try:
        return date(int(found["year"]), int(found["month"]), int(found["day"])) if found else None
    except ValueError:
        return None


def place_of(key: str) -> Place | None:
    """Read a key back, of whichever layout; None when the mirror makes no such key.

    >>> place_of("quarantine/TUMLIDAR001/a.hdf5.01234567")
    Place(kind=<Kind.QUARANTINED: 'quarantined'>, device='TUMLIDAR001', name='a.hdf5')
    >>> place_of("tumlidar001/2022_02/a.hdf5").kind, place_of("raw/readme.txt")
    (<Kind.MIRRORED: 'mirrored'>, None)
    """
    for pattern in _PLACES:
        if found := pattern.fullmatch(key):
            parts = found.groupdict()
            kind = next(one for one in Kind if one in parts)
            return Place(kind, parts.get("device", ""), parts[kind])
    return None


def _day(file: ArchiveFile) -> tuple[str, str, str]:
    day = file.begins_at.date() if file.begins_at is not None else key_day(file.filename)
    if day is not None:  # strftime writes a year before 1000 with fewer digits
        return f"{day.year:04}", f"{day.month:02}", f"{day.day:02}"
    raise UnsafeNameError("Neither the archive row nor the name says when the data begin.", subject=file.filename)
