"""Archive files as a pandas DataFrame with typed columns, and back; and as the CSV of `onc-mirror list --csv`.

The columns are `COLUMNS`, the same dtypes for an empty listing as for a full one:

    device_code         string
    filename            string
    product_code        string                 missing: the archive gives none
    extension           string                 derived from the filename: lower case, no dot, "" for none
    begins_at           datetime64[us, UTC]    dateFrom
    ends_at             datetime64[us, UTC]    dateTo
    archived_at         datetime64[us, UTC]    archivedDate
    modified_at         datetime64[us, UTC]    modifyDate
    stored_bytes        Int64                  fileSize, compressed where `compression` is set
    uncompressed_bytes  Int64                  uncompressedFileSize
    expected_bytes      Int64                  derived: what a download has
    compression         string
    row                 object                 the archive's row word for word, a mapping; JSON in the CSV

Microseconds hold every time that Python can, and `Int64` every size exactly, missing ones included. `listing_frame`
and `files_from_frame` are each other's inverse, and so are `write_csv` and `read_csv`, with two exceptions: a size
that 64 bits cannot hold is missing (the row keeps it), and in a CSV an empty text is a missing one.
"""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TextIO

import pandas as pd

from onc_mirror.errors import SettingsError
from onc_mirror.model import ArchiveFile
from onc_mirror.utc import as_utc, time_text
from onc_mirror.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

# Stored as Python strings whether or not pyarrow is installed: Arrow refuses the half surrogate pairs JSON can hold.
STRING = pd.StringDtype("python")
TIME = pd.DatetimeTZDtype("us", "UTC")
SIZE = pd.Int64Dtype()

COLUMNS: Mapping[str, Any] = MappingProxyType(
    {
        "device_code": STRING,
        "filename": STRING,
        "product_code": STRING,
        "extension": STRING,
        "begins_at": TIME,
        "ends_at": TIME,
        "archived_at": TIME,
        "modified_at": TIME,
        "stored_bytes": SIZE,
        "uncompressed_bytes": SIZE,
        "expected_bytes": SIZE,
        "compression": STRING,
        "row": object,
    }
)

_DERIVED = ("extension", "expected_bytes")
_FIELDS = tuple(name for name in COLUMNS if name not in _DERIVED)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LARGEST = 2**63 - 1
_LONGEST_TOLD = 60


def listing_frame(files: Iterable[ArchiveFile]) -> pd.DataFrame:
    """Put archive files into a frame with the columns `COLUMNS`, one row per file, in the given order."""
    rows = tuple(files)
    return pd.DataFrame(
        {name: typed_column([getattr(file, name) for file in rows], dtype) for name, dtype in COLUMNS.items()}
    )


def files_from_frame(frame: pd.DataFrame) -> tuple[ArchiveFile, ...]:
    """Return the archive files of a frame that has at least `device_code` and `filename`, in its order."""
    present = [name for name in _FIELDS if name in frame.columns]
    columns = [_plain_values(frame[name]) for name in present]
    return tuple(
        ArchiveFile(**{name: value for name, value in zip(present, values, strict=True) if value is not None})
        for values in zip(*columns, strict=True)
    )


def write_csv(frame: pd.DataFrame, out: TextIO) -> None:
    """Write a listing as CSV with a header: times in ISO 8601 with `Z`, missing values empty.

    Args:
        frame: A listing; of further columns nothing is written.
        out: Open for text, with `newline=""`; `errors="surrogatepass"` where names may be garbage.
    """
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    columns = [[_to_text(value) for value in _plain_values(frame[name])] for name in COLUMNS]
    writer.writerows(zip(*columns, strict=True))


def read_csv(path: Path) -> pd.DataFrame:
    """Read a list of files as `write_csv` writes it.

    Only `device_code` and `filename` must be there; columns that are not ours are passed over.

    Raises:
        SettingsError: The file cannot be read or is not such a list; says which line and why.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogatepass") as lines:
            files = tuple(_parse_lines(path, lines))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingsError(f"The list {path} cannot be read: {reason}.") from None
    return listing_frame(files)


def typed_column(values: Sequence[Any], dtype: Any) -> pd.Series[Any]:
    """Return `values`, None for missing ones, as a column of one of the dtypes used here."""
    if dtype == TIME:
        micros = pd.array([None if time is None else (time - _EPOCH) // _MICROSECOND for time in values], dtype=SIZE)
        # Through integers: parsing 100 000 datetime objects takes pandas ten times as long.
        stamps = pd.Series(micros.to_numpy("int64", na_value=0).view("M8[us]")).dt.tz_localize("UTC")
        return stamps.mask(pd.Series(micros.isna()))
    if dtype == SIZE:
        values = [None if size is not None and abs(size) > _LARGEST else size for size in values]
    column: pd.Series[Any] = pd.Series(list(values), dtype=dtype)
    return column


def _plain_values(column: pd.Series[Any]) -> list[Any]:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return [
            None if missing else time for time, missing in zip(column.dt.to_pydatetime(), column.isna(), strict=True)
        ]
    if column.dtype == object:
        return column.tolist()
    return [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]


def _to_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
        return time_text(value, precision)
    return str(value) if isinstance(value, str | int) else json.dumps(dict(value))


def _parse_lines(path: Path, lines: TextIO) -> Iterator[ArchiveFile]:
    reader = csv.DictReader(lines, restval="")
    try:
        _check_columns(path, reader.fieldnames or ())
        for line in reader:
            yield _parse_line(line)
    except UnicodeDecodeError:
        raise
    except csv.Error as error:  # before the line is counted
        raise _not_understood(path, reader.line_num + 1, error) from None
    except ValueError as error:
        raise _not_understood(path, reader.line_num, error) from None


def _check_columns(path: Path, columns: Iterable[str]) -> None:
    if missing := {"device_code", "filename"}.difference(columns):
        raise SettingsError(
            f"The list {path} has no column {' and '.join(sorted(missing))}; write one with onc-mirror list --csv."
        )


def _not_understood(path: Path, line: int, error: Exception) -> SettingsError:
    return SettingsError(f"The list {path} is not understood at line {line}: {error}.")


def _parse_line(line: Mapping[str, str]) -> ArchiveFile:
    given = {name: _from_text(name, line[name]) for name in _FIELDS if line.get(name)}
    return ArchiveFile(**(dict.fromkeys(("device_code", "filename"), "") | given))


def _from_text(name: str, text: str) -> Any:
    kind = COLUMNS[name]
    if kind == STRING:
        return text
    try:
        return _PARSERS[kind](text)
    except (ValueError, OverflowError, RecursionError):
        raise ValueError(f"{name} {shortened(text, _LONGEST_TOLD)!r} is no {_CALLED[kind]}") from None


def _row_from(text: str) -> dict[str, Any]:
    row = json.loads(text)
    if not isinstance(row, dict):
        raise ValueError  # noqa: TRY004 - a fault of the text, as all others here
    return row


_PARSERS: Mapping[Any, Callable[[str], Any]] = MappingProxyType(
    {TIME: lambda text: as_utc(datetime.fromisoformat(text)), SIZE: int, object: _row_from}
)
_CALLED: Mapping[Any, str] = MappingProxyType(
    {TIME: "time such as 2026-11-22T06:00:00Z", SIZE: "whole number", object: "JSON object"}
)
