"""Reads the query string of an API call as the real API does: unknown names, missing ones and bad values are errors.

Error codes and statuses were collected from the public tests of ONC's own client: 23 swapped dates, 25 a begin in
the future, 96 no such file, 127 a bad value (also the token's, with 401), 128 a missing and 129 an unknown name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from infra.sandbox.archive.sea import FOREVER, Span
from infra.sandbox.archive.times import DateError, parse_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SWAPPED_DATES: Final = 23
FUTURE_BEGIN: Final = 25
NO_SUCH_FILE: Final = 96
BAD_VALUE: Final = 127
MISSING_NAME: Final = 128
UNKNOWN_NAME: Final = 129


class ApiError(Exception):
    """An answer with an error body.

    Attributes:
        status: HTTP status.
        code: `errorCode`, or None where the body of the real answer is not known (404).
        message: `errorMessage`.
        parameter: Name or comma-separated names of the parameters at fault.
    """

    def __init__(self, code: int | None, message: str, parameter: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.parameter = parameter

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON body."""
        return {
            "errors": [{"errorCode": self.code, "errorMessage": self.message, "parameter": self.parameter}],
        }


def bad_value(parameter: str, detail: str = "Invalid parameter value") -> ApiError:
    """Error 127."""
    return ApiError(BAD_VALUE, detail, parameter)


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of one call, names checked, the token taken out."""

    values: Mapping[str, str]
    now: int

    @classmethod
    def read(
        cls, given: Mapping[str, str], *, known: Iterable[str], required: Iterable[str] = (), token: str, now: int
    ) -> Query:
        """Check token and names.

        Raises:
            ApiError: 401/127 for the token, 129, 128.
        """
        if given.get("token") != token:
            raise ApiError(BAD_VALUE, "Invalid parameter value", "token", status=401)
        values = {name: value for name, value in given.items() if name != "token"}
        allowed = set(known)
        strange = [name for name in values if name not in allowed]
        if strange:
            raise ApiError(UNKNOWN_NAME, "Invalid parameter name", ",".join(strange))
        missing = [name for name in required if not values.get(name)]
        if missing:
            raise ApiError(MISSING_NAME, "Missing required parameter", ",".join(missing))
        return cls(values, now)

    def text(self, name: str) -> str | None:
        """The value, None when it is absent."""
        return self.values.get(name)

    def one_of(self, name: str, values: Iterable[str]) -> str | None:
        """The value, which must be one of `values`, case included."""
        value = self.values.get(name)
        if value is not None and value not in set(values):
            raise bad_value(name)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean in any case."""
        value = self.values.get(name, str(default)).lower()
        if value not in {"true", "false"}:
            raise bad_value(name)
        return value == "true"

    def page(self) -> int:
        """The number of the page, 1 when absent."""
        value = self.values.get("page", "1")
        if not value.isdecimal() or int(value) < 1:
            raise bad_value("page")
        return int(value)

    def row_limit(self, largest: int) -> int:
        """Rows of a page: missing, invalid or too large becomes the largest."""
        value = self.values.get("rowLimit", "")
        return min(int(value), largest) if value.isdecimal() and int(value) > 0 else largest

    def span(self, begin: str, end: str, *, strict: bool = True) -> tuple[Span, int]:
        """The range between two date parameters, and the cursor hidden below the milliseconds of its begin.

        Args:
            begin: Name of the first.
            end: Name of the second.
            strict: Whether a begin in the future is refused.
        """
        try:
            since, until, cursor = parse_range(self.values.get(begin), self.values.get(end), self.now)
        except DateError:
            raise bad_value(",".join(name for name in (begin, end) if name in self.values)) from None
        if since is not None and until is not None and since > until:
            raise ApiError(SWAPPED_DATES, "Invalid Time Range. Start Time is greater than End Time", f"{begin},{end}")
        if strict and since is not None and since > self.now:
            raise ApiError(FUTURE_BEGIN, "Invalid Time Range. Start Time is in the future", begin)
        span = Span(-FOREVER if since is None else since, FOREVER if until is None else until)
        return span, cursor
