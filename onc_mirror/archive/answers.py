"""What an answer of the archive that is not 200 means, as a typed error. Pure.

The API answers 400 and 401 with `{"errors": [{"errorCode", "errorMessage", "parameter"}]}`. Its code 127 means a
bad token under 401, an unknown device under 400, and "no deployments" for deployments; so status, code and
parameter decide together, and the text never does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from onc_mirror.errors import (
    ArchiveBusyError,
    GarbledAnswerError,
    MirrorError,
    NotReadyError,
    RequestRejectedError,
    TokenRejectedError,
    UnknownDeviceError,
)
from onc_mirror.redacting import redact
from onc_mirror.utc import as_utc

if TYPE_CHECKING:
    from collections.abc import Mapping

IN_THE_FUTURE = 25
NO_SUCH_FILE = 96
INVALID_VALUE = 127

_BUSY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_LONGEST_TEXT = 200
# Digits of the seconds in a thousand years. What asks for longer asks for nothing that can be given.
_LONGEST_WAIT = 11
# Digits of the seconds in thirty years.
_LONGEST_AGE = 9


@dataclass(frozen=True, slots=True)
class ApiError:
    """One entry of the API's `errors`.

    Attributes:
        code: `errorCode`, or None.
        text: `errorMessage`, on one line and cut to a bearable length.
        parameter: Names of the parameters it is about, comma-separated; empty when it names none.
    """

    code: int | None = None
    text: str = ""
    parameter: str = ""


class NothingFoundError(RequestRejectedError):
    """The API itself, not just any web server, answered 404: so its discovery calls say "none"."""


def error_from(status: int, headers: Mapping[str, str], body: bytes, subject: str | None) -> MirrorError:
    """Name the failure that an answer with `status` stands for.

    Args:
        status: HTTP status, anything but 200.
        headers: Of the answer, case-insensitive.
        body: Its first bytes, with the token already masked.
        subject: File or device that was asked for.
    """
    api = parse_api_error(body)
    kind, advice = _meaning(status, api)
    if status == HTTPStatus.NOT_FOUND and kind is RequestRejectedError and _is_json(body):
        kind = NothingFoundError
    reason = f" It says: {api.text.rstrip('.')}." if api.text else ""
    about = f" Parameter: {api.parameter}." if api.parameter else ""
    return kind(
        f"{advice[0]}{reason}{about} {advice[1]}",
        subject=None if kind is TokenRejectedError else subject,  # which is not at fault
        status=status,
        api_code=api.code,
        retry_after_s=retry_after(headers),
    )


def parse_api_error(body: bytes) -> ApiError:
    """Read the first entry of the API's error list; an empty one when the body is something else."""
    try:
        entries = json.loads(body)["errors"]
        entry = entries[0]
        code, text, parameter = (entry.get(key) for key in ("errorCode", "errorMessage", "parameter"))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return ApiError()
    return ApiError(code if isinstance(code, int) else None, one_line(text), one_line(parameter))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the `Retry-After` header asks for, from either of its two forms; None when it asks nothing.

    >>> retry_after({"Retry-After": "7"})
    7.0
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value) if len(value) <= _LONGEST_WAIT else None
    until = parse_http_date(value)
    if until is None:
        return None
    now = parse_http_date(headers.get("Date", "")) or datetime.now(UTC)
    return max((until - now).total_seconds(), 0.0)


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """When an answer was sent, by the clock of the server: its `Date`, and how long a cache has kept it since.

    >>> date_of({"Date": "Mon, 23 Nov 2026 04:00:00 GMT", "Age": "90"}).isoformat()
    '2026-11-23T04:01:30+00:00'
    """
    date, age = parse_http_date(headers.get("Date", "")), headers.get("Age", "").strip()
    if date is None or not age.isascii() or not age.isdigit() or len(age) > _LONGEST_AGE:
        return date
    return date + timedelta(seconds=int(age))


def parse_http_date(value: str) -> datetime | None:
    """Read the date of an HTTP header as UTC; None when it is no date, or none that exists."""
    try:
        return as_utc(parsedate_to_datetime(value))
    except (ValueError, OverflowError, TypeError):
        return None


def one_line(value: Any) -> str:
    """Return text of the other side fit for one line of a log: no secrets, no control characters, not too long."""
    text = redact(value) if isinstance(value, str) else ""
    return "".join(sign if sign.isprintable() else " " for sign in text)[:_LONGEST_TEXT].strip()


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _meaning(status: int, api: ApiError) -> tuple[type[MirrorError], tuple[str, str]]:  # noqa: PLR0911 - one return per meaning
    about_token = api.parameter.lower() == "token"
    about_device = not api.parameter or "devicecode" in api.parameter.lower()
    if status == HTTPStatus.UNAUTHORIZED or (api.code == INVALID_VALUE and about_token):
        return TokenRejectedError, (
            "The archive does not accept the token.",
            "Take the current one from your profile page at ONC and set ONC_TOKEN.",
        )
    if api.code == NO_SUCH_FILE:
        return NotReadyError, (
            "The archive does not hand this file out.",
            "A file just listed may need some time; try again later.",
        )
    if status == HTTPStatus.BAD_REQUEST and api.code == INVALID_VALUE and about_device:
        return UnknownDeviceError, (
            "The archive does not know this device, or has nothing for it.",
            "Compare the code, including its case, with the device's page at ONC.",
        )
    if status == HTTPStatus.BAD_REQUEST and api.code == IN_THE_FUTURE:
        return RequestRejectedError, (
            "The window begins in the future by the archive's clock.",
            "Set this machine's clock; `onc-mirror doctor` measures the difference.",
        )
    if status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ArchiveBusyError, (
            "The archive is busy or down.",
            "Try again later; if this goes on, lower ONC_MIRROR_CONCURRENCY.",
        )
    if status >= HTTPStatus.BAD_REQUEST:
        return RequestRejectedError, (
            "The archive refuses the request.",
            "The same request will be refused again: check the device and ONC_MIRROR_ARCHIVE_URL.",
        )
    return GarbledAnswerError, (
        "The archive answered in a way that its API does not have.",
        "Check ONC_MIRROR_ARCHIVE_URL.",
    )
