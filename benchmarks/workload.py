"""Which archive files a benchmark transfers: one data product of one device, one file an hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# At half past the hour no file is on its way into the stand-in's archive, so that N hours have N files.
_BEGIN = datetime(2022, 5, 1, 0, 30, tzinfo=UTC)
_FORM = "%Y-%m-%dT%H:%M:%S.000Z"


@dataclass(frozen=True, slots=True)
class Workload:
    """Files of one size.

    Attributes:
        device: Device code.
        product: Data product code, in HDF5.
        file_bytes: About the bytes of a file.
        files: How many.
        delay_s: Seconds that the archive takes to answer.
    """

    device: str
    product: str
    file_bytes: int
    files: int
    delay_s: float = 0.0

    @property
    def since_text(self) -> str:
        """Begin of the window of archive time that has exactly these files, as the API writes times."""
        return f"{_BEGIN:{_FORM}}"

    @property
    def until_text(self) -> str:
        """End of that window."""
        return f"{_BEGIN + timedelta(hours=self.files):{_FORM}}"


def small_files(file_bytes: int, files: int, delay_s: float = 0.0) -> Workload:
    """Files as a module writes about itself."""
    return Workload("TUMSTANDARDMODULE001", "SMRD", file_bytes, files, delay_s)


def large_files(file_bytes: int, files: int) -> Workload:
    """Files as a PMT spectrometer writes."""
    return Workload("TUMPMTSPECTROMETER001", "PMTSD", file_bytes, files)
