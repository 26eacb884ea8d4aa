"""Durations in ISO 8601, as people write them. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import isodate


def parse_duration(value: Any) -> Any:
    """Turn an ISO 8601 duration such as `PT6H` into a `timedelta`; pass everything else on.

    Raises:
        ValueError: A string that is no duration, or one in months or years, whose length is not fixed.
    """
    if not isinstance(value, str):
        return value
    try:
        parsed = isodate.parse_duration(value)
    except OverflowError:
        raise ValueError("must not be longer than any time there is") from None
    except isodate.ISO8601Error:
        raise ValueError("must be an ISO 8601 duration such as PT6H or P2D") from None
    if not isinstance(parsed, timedelta):
        raise ValueError("must be in days, such as P30D: months and years have no fixed length")  # noqa: TRY004 - pydantic tells only a ValueError
    return parsed
