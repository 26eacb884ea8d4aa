"""The devices, locations and data products of the string at Cascadia Basin, and which device makes which files.

Devices, locations and products are as Oceans 3.0 has them. Where a file-name tail or the deployment times are not
known publicly, a sensible one was chosen and is marked so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from infra.sandbox.archive.times import DAY, HOUR

LATITUDE: Final = 47.756185
LONGITUDE: Final = -127.73171
DEPLOYED_AT: Final = datetime(2020, 9, 25, tzinfo=UTC)  # chosen: abstracts only say summer 2020
SPECTRA_MERGED_AT: Final = datetime(2021, 4, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Product:
    """A data product as `/api/dataProducts` lists it; one per code and extension."""

    code: str
    name: str
    extension: str
    page: int


PRODUCTS: Final = (
    Product("SMRD", "Standard Module Raw Data", "hdf5", 157),
    Product("LIDARSD", "LiDAR Sensor Data", "hdf5", 172),
    Product("MSRD", "Mini Spectrometer Raw Data", "hdf5", 167),
    Product("MSSD", "Mini Spectrometer Sensor Data", "hdf5", 184),
    Product("MSSCD", "Mini Spectrometer Sensor Camera Data", "hdf5", 185),
    Product("MTSD", "Muon Tracker Sensor Data", "hdf5", 168),
    Product("PMTSD", "PMT Spectrometer Sensor Data", "hdf5", 171),
    Product("PMTTC", "PMT Spectrometer TRB Counters", "hdf5", 161),
    Product("MTRD", "Muon Tracker Raw Data", "hld", 158),
    Product("LIDARRD", "LiDAR Raw Data", "hld", 159),
    Product("PMTRD", "PMT Spectrometer Raw Data", "hld", 160),
    Product("MTTOT", "Muon Tracker Time Over Threshold", "txt", 187),
    Product("LIDARTOT", "LiDAR Time Over Threshold", "txt", 188),
    Product("PMTTOT", "PMT Spectrometer Time Over Threshold", "txt", 186),
    Product("LIDARTF", "LiDAR text file", "txt", 181),
    Product("WOMRD", "Wavelength Optical Module Raw Data", "raw", 194),
    Product("WOMSD", "Wavelength Optical Module Sensor Data", "csv", 195),
    Product("WOMLF", "Wavelength Optical Module Log File", "log", 196),
    Product("LF", "Log File", "txt", 4),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """One line of files of a device.

    Attributes:
        product: Data product code.
        tail: What follows the time in the file name, without the leading dash; empty for logs.
        extension: File extension.
        period: Time between files at the real cadence, ms.
        odd: Starts at odd times, somewhere in the first quarter of the period, instead of on it.
        compression: How the archive stores it; the body is delivered plain all the same.
        extra: A short measurement of its own that happens on some days only; the real cadence alone has it.
        since: First data, where that is not the archive's begin.
        until: End of the data, where there is one.
    """

    product: str
    tail: str
    extension: str
    period: int = DAY
    odd: bool = False
    compression: str | None = None
    extra: bool = False
    since: datetime | None = None
    until: datetime | None = None


LOG: Final = Stream("LF", "", "txt", compression="gz")
MODULE: Final = Stream("SMRD", "SDAQ-MODULE", "hdf5")
CAMERA: Final = Stream("MSSCD", "SDAQ-CAMERA", "hdf5", period=HOUR)
# Before April 2021 a mini spectrometer file held a single spectrum, so there were very many of them.
SPECTRA: Final = (
    Stream("MSRD", "SDAQ-MINISPEC", "hdf5", period=DAY // 144, until=SPECTRA_MERGED_AT),
    Stream("MSSD", "SDAQ-MINISPEC", "hdf5", since=SPECTRA_MERGED_AT),
)
_PMT = (
    Stream("PMTSD", "SDAQ-PMTSPEC", "hdf5", period=HOUR),
    Stream("PMTSD", "SDAQ-PMTSPEC", "hdf5", extra=True),
    CAMERA,
    *SPECTRA,
    MODULE,
    Stream("PMTTC", "SDAQ-TRBCOUNTER", "hdf5"),  # tail chosen
    Stream("PMTRD", "PMTSPEC", "hld", period=DAY // 4, odd=True),  # tail chosen
    Stream("PMTTOT", "TOT-PMTSPEC", "txt", period=DAY // 4, odd=True, compression="gz"),  # tail chosen
    LOG,
)
_LIDAR = (
    Stream("LIDARSD", "SDAQ-LIDAR", "hdf5"),
    Stream("LIDARSD", "SDAQ-LIDAR", "hdf5", extra=True, since=datetime(2021, 10, 5, tzinfo=UTC)),
    Stream("MSRD", "SDAQ-MINISPEC", "hdf5"),
    MODULE,
    Stream("LIDARRD", "LIDAR", "hld", period=DAY // 4, odd=True),
    Stream("LIDARTOT", "TOT-LIDAR", "txt", period=DAY // 4, odd=True, compression="gz"),
    Stream("LIDARTF", "LIDAR", "txt", odd=True, compression="gz"),
    LOG,
)
_MUON = (
    Stream("MTSD", "SDAQ-MUON", "hdf5"),
    MODULE,
    Stream("MTRD", "MUON", "hld", period=DAY // 4, odd=True),
    Stream("MTTOT", "TOT-MUON", "txt", period=DAY // 4, odd=True, compression="gz"),
    LOG,
)
_WOM = (
    Stream("WOMRD", "WOM", "raw"),  # tail chosen
    Stream("WOMSD", "WOM", "csv"),  # tail chosen
    Stream("WOMLF", "WOM", "log", compression="gz"),  # tail chosen
)


@dataclass(frozen=True, slots=True)
class SeaDevice:
    """A device of the string.

    Attributes:
        code: Device code.
        number: `deviceId`.
        name: `deviceName`.
        category: Device category code.
        location: Location code.
        depth: Metres below the surface.
        rated_from: Begin of its data rating, `yyyy-mm-dd`.
        streams: The files it makes.
        ended: End of its deployment, or None while it is in the water.
    """

    code: str
    number: int
    name: str
    category: str
    location: str
    depth: float
    rated_from: str
    streams: tuple[Stream, ...]
    ended: datetime | None = None


DEVICES: Final = (
    SeaDevice(
        "TUMPMTSPECTROMETER001", 47321, "TUM PMT Spectrometer 001 (144 mab)", "BIOSPECTROMETER", "STR2", 2513.0,
        "2020-05-05", _PMT,
    ),
    SeaDevice("TUMLIDAR001", 47420, "TUM LiDAR 001 (168 mab)", "LIDAR", "STR3", 2489.0, "2020-06-02", _LIDAR),
    SeaDevice(
        "TUMSTANDARDMODULE001", 47620, "TUM Standard Module 001 (240 mab)", "STANDARDMODULE", "STR4", 2416.0,
        "2020-05-05", (MODULE, LOG),
    ),
    SeaDevice(
        "TUMMINISPECTROMETER001", 47400, "TUM Mini Spectrometer 001 (264 mab)", "BIOSPECTROMETER", "STR5", 2392.8,
        "2020-06-02", (CAMERA, *SPECTRA, MODULE, LOG),
    ),
    SeaDevice(
        "TUMMUONTRACKER001", 47320, "TUM Muon Tracker 001 (288 mab)", "MUONTRACKER", "STR6", 2368.8,
        "2020-06-02", _MUON,
    ),
    SeaDevice(
        "TUMSTANDARDMODULE004", 48120, "TUM Standard Module 004 (312 mab)", "STANDARDMODULE", "STR7", 2344.0,
        "2020-05-05", (MODULE, LOG),
    ),
    SeaDevice(
        "TUMSTANDARDMODULE003", 47680, "TUM Standard Module 003 (384 mab)", "STANDARDMODULE", "STR8", 2272.0,
        "2020-05-05", (MODULE, LOG), ended=datetime(2021, 3, 31, tzinfo=UTC),  # chosen: upstream does not use it
    ),
    SeaDevice(
        "TUMPMTSPECTROMETER002", 47340, "TUM PMT Spectrometer 002 (408 mab)", "BIOSPECTROMETER", "STR9", 2249.0,
        "2020-05-05", _PMT,
    ),
    SeaDevice("TUMLIDAR002", 47440, "TUM LiDAR 002 (432 mab)", "LIDAR", "STR10", 2225.0, "2020-06-02", _LIDAR),
    SeaDevice(
        "UMAINZWOM001", 49560, "UMainz Wavelength Optical Module 001 (120 mab)", "WAVELENGTHOPTICALMODULE", "STR1",
        2536.0, "2020-06-01", _WOM,
    ),
    SeaDevice(
        "ONCMJB016", 43820, "ONC Mini Junction Box 016", "JB", "CBC27", 2656.0,  # location chosen
        "2020-03-11", (LOG,),
    ),
)  # fmt: skip
