"""The parameters that flows have in common: what they accept, and what the run form of the Prefect UI says of them.

Prefect's server holds a parameter against the JSON schema of its deployment before there is a run, so all that a
schema can say is said in it: the form of a time, bounds of numbers, the known devices. What takes two parameters or a
clock (an end before its begin, a begin in the future) is refused by the run itself, before it asks the archive.

The device codes to choose from are those of the table that ONC_MIRROR_DEVICES_FILE names where `onc-mirror deploy`
runs. The run itself takes any code that can be one: its table may be another, and a device may be in none.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from onc_mirror.devices import load_device_table
from onc_mirror.errors import SettingsError, UnsafeNameError
from onc_mirror.layout import check_name
from onc_mirror.settings import TableSettings, load_settings
from onc_mirror.utc import as_utc

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

_DAY = r"20\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?"
_ZONE = r"(Z|[+-][01]\d:?[0-5]\d)?"


def _spelt(example: str) -> str:
    """A pattern of a day or a time. Of what does not match a server says the pattern alone: hence the example."""
    return f"^({example}|{_DAY}([T ]{_CLOCK}{_ZONE})?)$"


def _usable(code: str) -> str:
    try:
        return check_name(code)
    except UnsafeNameError:
        raise ValueError("is no device code") from None


class _KnownCodes:
    """Makes the schema of a device code a choice of those of the device table."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        plain = handler(schema)
        try:
            table = load_device_table(load_settings(TableSettings).devices_file)
        except SettingsError:
            # A worker makes the schema, too, when it loads a flow; its run then tells what is wrong with the table.
            return plain
        return {**plain, "enum": [device.code for device in table]}


Time = Annotated[
    datetime,
    AfterValidator(as_utc),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": _spelt("2026-11-22T06:00:00Z"),
            "examples": ["2026-11-22T06:00:00Z", "2026-11-22T07:00:00+01:00"],
        }
    ),
]
"""An instant: a time, or a day (its midnight); UTC unless it has a zone. The form of the UI asks for day and time."""

Day = Annotated[
    datetime,
    AfterValidator(as_utc),
    WithJsonSchema({"type": "string", "format": "date", "pattern": _spelt("2026-11-22"), "examples": ["2026-11-22"]}),
]
"""A day of data, UTC; a time stands for its day. The form of the UI asks for the day alone."""

OnlyFailed = Annotated[Literal["failed"], WithJsonSchema({"type": "string", "enum": ["failed"]})]
"""A choice of one: of what pydantic makes of it, a constant, the form of the UI does nothing."""

DeviceCode = Annotated[str, AfterValidator(_usable)]
"""A device code as ONC writes it, in the device table or not."""

DeviceCodes = Annotated[list[DeviceCode], Field(min_length=1)]
"""Some devices, in the device table or not."""

ChosenDevices = Annotated[
    list[Annotated[DeviceCode, _KnownCodes()]], Field(min_length=1, json_schema_extra={"uniqueItems": True})
]
"""Some devices; people choose from those of the device table."""

ProductCodes = Annotated[list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]], Field(min_length=1)]
"""Data product codes as ONC writes them."""

Extensions = Annotated[list[Annotated[str, Field(pattern=r"^\.?[A-Za-z0-9]+$")]], Field(min_length=1)]
"""Extensions, with a dot or without, in any case."""

RunName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")]
"""A name for a run's report in ledger and bucket."""

Days = Annotated[int, Field(ge=1, le=3650)]
"""A number of days; ten years at most."""

Bytes = Annotated[int, Field(ge=1)]
"""A number of bytes."""
