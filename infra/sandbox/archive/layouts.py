"""The groups, datasets and group attributes of every STRAWb HDF5 product, version by version.

They are the ones that the strawb package reads; the history of versions is told in its readers as far as it is
known, the rest is chosen.
"""

# ruff: noqa: PLR2004 - the numbers are those of versions

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from infra.sandbox.archive.columns import (
    PIXELS,
    Column,
    Group,
    constant,
    counter,
    floats,
    frames,
    ints,
    spectra,
    steps,
    times,
)
from infra.sandbox.archive.times import to_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CHANNELS: Final = (1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15)
READ_HZ: Final = 10_000
# Counts of noise on a pixel for files of less than so many bytes: the size of a frame is to suit that of the file.
_NOISE: Final = ((500_000, 0), (8_000_000, 1), (200_000_000, 1023))
_NOISE_ALONE: Final = 65_535

# First days of each version, oldest first; what is before the first has the version before it.
_HISTORY: Final[Mapping[str, tuple[tuple[int, datetime], ...]]] = {
    "SMRD": ((1, datetime(2020, 1, 1, tzinfo=UTC)), (2, datetime(2020, 12, 1, tzinfo=UTC)),
             (3, datetime(2021, 6, 1, tzinfo=UTC))),
    "LIDARSD": ((1, datetime(2020, 1, 1, tzinfo=UTC)), (2, datetime(2021, 10, 5, tzinfo=UTC)),
                (3, datetime(2021, 10, 11, tzinfo=UTC)), (4, datetime(2021, 10, 25, tzinfo=UTC)),
                (5, datetime(2021, 11, 12, tzinfo=UTC)), (6, datetime(2022, 12, 23, tzinfo=UTC)),
                (7, datetime(2022, 12, 26, 13, 2, tzinfo=UTC))),
    "MTSD": ((1, datetime(2020, 1, 1, tzinfo=UTC)), (2, datetime(2021, 1, 1, tzinfo=UTC)),
             (3, datetime(2021, 8, 1, tzinfo=UTC)), (4, datetime(2022, 1, 1, tzinfo=UTC))),
    "PMTSD": ((2, datetime(2020, 1, 1, tzinfo=UTC)), (4, datetime(2021, 3, 1, tzinfo=UTC)),
              (5, datetime(2021, 10, 1, tzinfo=UTC)), (6, datetime(2022, 3, 1, tzinfo=UTC))),
}  # fmt: skip
_NEWEST_FIRST: Final = {
    product: [(number, to_ms(since)) for number, since in reversed(history)] for product, history in _HISTORY.items()
}
# A PMT spectrometer file whose settings never changed holds nothing but its counters.
_BARE_PMT: Final = {2: 1, 4: 3}


def version_at(product: str, begin: int, draw: int) -> int:
    """The layout version of a file that begins at `begin` (ms)."""
    history = _NEWEST_FIRST.get(product)
    if history is None:
        return 1
    version = next(number for number, since in history if begin >= since)
    if product == "PMTSD" and draw % 20 == 0:
        return _BARE_PMT.get(version, version)
    return version


def module(version: int, _target: int | None) -> tuple[Group, ...]:
    """SMRD. 1: no lucifer groups; 2: lucifers in register codes; 3: in mA and seconds, too."""
    axes = (floats("x", -0.1, 0.1), floats("y", -0.1, 0.1), floats("z", 0.95, 1.05))
    power = tuple(
        floats(f"{name}_{kind}", low, high)
        for name in ("c2", "laser", "motor", "padiwa", "switch", "trb3sc")
        for kind, low, high in (("current", 100, 400), ("voltage", 4900, 5100))
    )
    lucifer: tuple[Column, ...] = (ints("current", 0, 15), ints("duration", 0, 7), ints("mode", 0, 2))
    if version >= 3:
        lucifer += (floats("current_mA", 0, 350), floats("duration_seconds", 0, 2))
    lights = range(51, 55) if version > 1 else ()
    return (
        Group("accel", (times(), *axes)),
        Group("magneto", (times(), *axes)),
        Group(
            "pth", (times(), floats("humidity", 20, 30), floats("pressure", 800, 850), floats("temperature", 5, 9))
        ),
        Group("pwrmoni", (times(), *power)),
        Group("temperatures", (times(), *(floats(f"temp{number}", 5, 30, 2) for number in (1, 2, 3)))),
        *(Group(f"lucifer_{light}", (times(), *lucifer), rows=4) for light in lights),
    )


def lidar(version: int, _target: int | None) -> tuple[Group, ...]:
    """LIDARSD, versions 1 to 7."""
    offsets = (ints("set_adjust_x_offset", -9, 9), ints("set_adjust_y_offset", -9, 9)) if version >= 5 else ()
    laser = (
        *(ints(name, 0, 1000) for name in ("diode", "frequency", "power", "pulsewidth")),
        ints("set_adjust_x", 0, 100),
        ints("set_adjust_y", 0, 100),
    )
    rates = ("pulser_readout", "pulser_trigger") if version <= 3 else ("frequency_readout", "frequency_trigger")
    measured = ("frequency_pmt", "frequency_trigger") if version == 1 else ()
    daq = (ints("pmt", 0, 1), ints("state", 0, 2), ints("trb", 0, 1))
    gimbal = (ints("delay", 1, 9), ints("pos_x", 0, 3000), ints("pos_y", 0, 3000), ints("power", 0, 1))
    groups = [
        Group("gimbal", (times(), *gimbal)),
        Group("laser", (times(), *laser, *offsets)),
        Group("daq", (times(), *daq, *(ints(name, 1000, READ_HZ) for name in (*rates, *measured)))),
    ]
    if version >= 2:
        counts = (counter("ch0", 1000), counter("ch17", 40), counter("ch18", 10))
        start = (times("hld_start_time"),) if version >= 6 else ()
        tot = (floats("time_ns", 0, 2748.8, 8), floats("tot", 1, 60, 2), *start)
        groups += [Group("counts", (times(), *counts)), Group("tot", (times(), *tot), rows=64)]
    if version >= 3:
        groups.append(Group("measurement", (times(), steps("step")), rows=8))
    if version >= 7:
        groups.append(Group("hld", (times(), times("file_start"), times("file_end")), rows=4))
    return tuple(groups)


def minispec(_version: int, _target: int | None, ports: int = 1) -> tuple[Group, ...]:
    """MSRD and MSSD: one group per port of the SPI multiplexer."""
    columns = (
        times(),
        spectra("ADCcounts"),
        floats("exposure_time", 0.1, 2),
        floats("temperature_before", 5, 9),
        floats("temperature_after", 5, 9),
        ints("trigger_counter", 0, 2**20),
    )
    return tuple(
        Group(str(port), columns, rows=max(3, 12 // ports), attributes=_calibration(port))
        for port in range(1, ports + 1)
    )


def _calibration(port: int) -> dict[str, Any]:
    polynomial = np.array([302.0 + port, 2.7, -1.1e-3, -7.1e-6, 8.4e-9, 4.1e-12])
    pixels = np.arange(PIXELS, dtype="<f8")
    wavelengths = sum(factor * pixels**power for power, factor in enumerate(polynomial))
    return {"CAL.ARR": polynomial, "W1 UID": np.int64(4_000 + port), "WAVELENGTH.ARR": wavelengths}


def camera(_version: int, target: int | None) -> tuple[Group, ...]:
    """MSSCD. Large files have frames of about 1.6 MB; huge ones hold noise alone, which is fast to make and read."""
    noise = next((noise for below, noise in _NOISE if (target or 0) < below), _NOISE_ALONE)
    columns = (
        times(),
        floats("exposure_time", 1, 60),
        ints("gain", 30, 30),
        frames("raw", noise),
        ints("lucifer_options", -125, -125, tail=(4,)),
        floats("exposure_time_cmd_setting", 1, 60),
        floats("measured_capture_time", 60, 90),
        ints("reported_resolution", 960, 1280, tail=(2,)),
    )
    attributes = {
        "EffMargins": np.array([0, 0, 0, 0], "<i4"),
        "ExposureTimeScaleFactor": np.float64(1.0),
        "ApproxPictureDownloadTime": np.float64(27.0),
        "IgnoredMargins": np.int64(0),
        "MODE": "raw",
        "RAW_Resolution": np.array([1280, 960], "<i4"),
        "Resolution": np.array([1280, 960], "<i4"),
    }
    return (Group("camera", columns, rows=4, attributes=attributes),)


def muon(version: int, _target: int | None) -> tuple[Group, ...]:
    """MTSD, versions 1 to 4."""
    readout = "rate_readout" if version <= 2 else "frequency_readout"
    daq = (ints("state", 0, 1), ints("trb", 0, 1), constant(readout, READ_HZ))
    thresholds = tuple(ints(f"th{number}", 30_000, 34_000) for number in range(1, 16 if version == 1 else 17))
    power = (ints("power", 0, 1),)
    counts = (counter("ch0", 100), *(counter(f"ch{number}", 7) for number in CHANNELS))
    groups = [
        Group("counts", (times(), *counts), rows=64),
        Group("daq", (times(), *daq, *((ints("padiwa", 0, 1),) if version == 1 else ())), rows=4),
        Group("padiwa", (times(), ints("offset", 0, 9), *thresholds, *(power if version > 1 else ())), rows=4),
        Group("hv", (times(), floats("hv_value", 900, 1100)), rows=8),
    ]
    if version >= 4:
        tot = (floats("time_ns", 0, 2748.8, 8), floats("tot", 1, 60, 2), ints("channel", 1, 16))
        groups.append(Group("tot", (times(), *tot), rows=64))
    return tuple(groups)


def pmt(version: int, _target: int | None) -> tuple[Group, ...]:
    """PMTSD, versions 1 to 6; 1 and 3 are files in which no setting changed."""
    main = Group(
        "rates" if version <= 2 else "counts",
        (times(), counter("ch0", 100), *(counter(f"ch{number}", 7) for number in CHANNELS)),
        rows=64,
    )
    if version in _BARE_PMT.values():
        return (main,)
    moved = version >= 5
    readout = "frequency_readout" if version >= 6 else "rate_readout"
    thresholds = tuple(constant(f"th{number}", 34_000) for number in range(1, 17))
    daq = (ints("state", 0, 1), ints("trb", 0, 1), constant(readout, READ_HZ))
    channels = tuple(floats(f"ch{number}", 900, 1100) for number in range(16))
    return (
        main,
        Group("padiwa", (times(), ints("offset", 0, 9), *thresholds, *((ints("power", 0, 1),) if moved else ())), 4),
        Group("hv", (times(), *channels, ints("power", 0, 1)), 4),
        Group("daq", (times(), *daq, *(() if moved else (ints("padiwa", 0, 1),))), 4),
    )


def trb_counters(_version: int, _target: int | None) -> tuple[Group, ...]:
    """PMTTC: only that it holds counts and timing is known."""
    return (Group("counts", (times(), counter("ch0", 100), *(counter(f"ch{n}", 7) for n in CHANNELS)), rows=64),)


LAYOUTS: Final[Mapping[str, Callable[[int, int | None], tuple[Group, ...]]]] = {
    "SMRD": module,
    "LIDARSD": lidar,
    "MSRD": minispec,
    "MSSD": minispec,
    "MSSCD": camera,
    "MTSD": muon,
    "PMTSD": pmt,
    "PMTTC": trb_counters,
}
VERSIONS: Final[Mapping[str, tuple[int, ...]]] = {
    product: {
        "SMRD": (1, 2, 3),
        "LIDARSD": tuple(range(1, 8)),
        "MTSD": (1, 2, 3, 4),
        "PMTSD": tuple(range(1, 7)),
    }.get(product, (1,))
    for product in LAYOUTS
}


def layout(product: str, version: int, target: int | None, device_code: str) -> tuple[Group, ...]:
    """The groups of a file.

    Args:
        product: A key of `LAYOUTS`.
        version: One of `VERSIONS[product]`.
        target: Wanted size in bytes, None for tiny; frames of large files are noisier.
        device_code: The mini spectrometer module has five spectrometers, all others have one.
    """
    if product in {"MSRD", "MSSD"} and device_code.startswith("TUMMINISPECTROMETER"):
        return minispec(version, target, ports=5)
    return LAYOUTS[product](version, target)
