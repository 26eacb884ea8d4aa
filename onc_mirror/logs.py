"""How log lines look: one line per event, with `key=value` fields; for people as it is, for programs as JSON.

The fields of a line are those of its template: `"file=%s bytes=%d"` has a text and a number. They are read from there
and not from the finished line, in which a file's name may look like anything.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

_TOKEN = re.compile(
    r"(?:(?<!\S)(?P<name>\w+)=)?%(?:(?P<percent>%)|[-+ #0]*\d*(?:\.\d+)?(?P<kind>[a-zA-Z]))"
    r"|(?<!\S)(?P<constant>\w+)=(?P<value>[\w.-]+)"
)


def fields_of(template: str, args: object) -> dict[str, Any]:
    """Return the fields of a log line from its template and arguments; numbers stay numbers.

    >>> fields_of("file=%s bytes=%d decision=failed detail=%r", ("a.hdf5", 7, "No byte came."))
    {'file': 'a.hdf5', 'bytes': 7, 'decision': 'failed', 'detail': 'No byte came.'}
    >>> fields_of("100%% of %d, retry_in_s=%.0f", (3, 0.5))
    {'retry_in_s': 0.5}
    """
    if isinstance(args, Mapping):
        return {}
    left = iter(args if isinstance(args, tuple) else ())
    fields: dict[str, Any] = {}
    for name, constant in _tokens(template):
        value = next(left, "") if constant is None else constant
        if name:
            fields[name] = value if isinstance(value, int | float) and not hasattr(value, "name") else str(value)
    return fields


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, the fields, and the trace if there is one."""

    def __init__(self, extra: tuple[str, ...] = ()) -> None:
        """Begin.

        Args:
            extra: Attributes of a record that are fields, too, where it has them.
        """
        super().__init__()
        self._extra = extra

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; what the redacting filter left out is in none of it."""
        fields = getattr(record, "fields", None)
        line = {
            "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in self._extra if hasattr(record, name)}
        line = (fields_of(str(record.msg), record.args) if fields is None else fields) | line
        trace = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        return json.dumps(line | ({"trace": trace} if trace else {}), default=str)


def formatter_of(log_format: Literal["text", "json"]) -> logging.Formatter:
    """Return what writes the log of the console script."""
    if log_format == "json":
        return JsonFormatter()
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    return formatter


@lru_cache(maxsize=256)
def _tokens(template: str) -> tuple[tuple[str | None, str | None], ...]:
    """Name and constant value of each part of a template that has one of them, or takes an argument."""
    found = (match for match in _TOKEN.finditer(template) if not match["percent"])
    return tuple((match["name"] or match["constant"], match["value"]) for match in found)
