"""How log lines of workers and servers look on their console: as Prefect writes them, or as JSON.

Named in `deployments/logging.yml`. What a run's log in Prefect shows is the same either way.
"""

from __future__ import annotations

import logging
from typing import Any

from prefect.logging.formatters import PrefectFormatter

from onc_mirror.errors import SettingsError
from onc_mirror.logs import JsonFormatter
from onc_mirror.settings import LogSettings, load_settings

_OF_PREFECT = ("flow_run_name", "task_run_name")


class ConsoleFormatter(PrefectFormatter):
    """Prefect's formatter, unless ONC_MIRROR_LOG_FORMAT asks for JSON."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._json = JsonFormatter(_OF_PREFECT) if _wants_json() else None

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return super().format(record) if self._json is None else self._json.format(record)


def _wants_json() -> bool:
    try:
        return load_settings(LogSettings).log_format == "json"
    except SettingsError:  # the run itself tells; a server must not fail for it
        return False
