"""Rows of a listing that no client should trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIME: Final = "20220501T000000.000Z"
_WHOLE: Final[Mapping[str, Any]] = {
    "dateFrom": "2022-05-01T00:00:00.000Z",
    "dateTo": "2022-05-02T00:00:00.000Z",
    "archivedDate": "2022-05-02T03:55:53.941Z",
    "modifyDate": "2022-05-02T03:55:57.241Z",
    "fileSize": 20_000,
    "uncompressedFileSize": 20_000,
    "compression": None,
    "dataProductCode": "SMRD",
    "deviceCode": "TUMSTANDARDMODULE001",
    "archiveLocation": "/NA_Archive_04",
    "path": "14/10/96",
}


def _row(**changes: Any) -> Mapping[str, Any]:
    return {"filename": f"TUMSTANDARDMODULE001_{_TIME}-HOSTILE.hdf5", **_WHOLE, **changes}


HOSTILE_ROWS: Final[tuple[Mapping[str, Any], ...]] = (
    _row(filename="../../../../tmp/onc-mirror-escaped.hdf5"),
    _row(filename="/etc/passwd"),
    _row(filename="..\\..\\escaped.hdf5"),
    _row(filename=f"TUMSTANDARDMODULE001_{_TIME}-a/b.hdf5"),
    _row(filename=f"TUMSTANDARDMODULE001_{_TIME}\x00.hdf5"),
    _row(filename=f"TUMSTANDARDMODULE001_{_TIME}\nInjected-Header: yes.hdf5"),
    _row(filename=f"TUMSTANDARDMODULE001_{_TIME}\u202e5fdh.hdf5"),
    _row(filename=""),
    _row(filename="."),
    _row(filename="a" * 5000 + ".hdf5"),
    _row(filename=None),
    _row(filename=17),
    _row(deviceCode="../TUMLIDAR001"),
    _row(filename=f"SOMEBODYELSE001_{_TIME}-SDAQ-MODULE.hdf5", deviceCode="SOMEBODYELSE001"),
    _row(dateFrom="yesterday", dateTo=None),
    _row(fileSize=-1, uncompressedFileSize=None),
    _row(fileSize="20000", uncompressedFileSize=2.5),
    _row(fileSize=10**30),
    _row(compression="rot13", newKey={"nested": [1, 2, 3]}),
    _row(**dict.fromkeys(_WHOLE)),
    {"filename": f"TUMSTANDARDMODULE001_{_TIME}-BARE.hdf5"},
    {},
)
