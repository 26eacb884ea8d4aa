"""The README says what is true: its settings table is that of the settings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import isodate
from pydantic import AliasChoices
from pydantic_core import PydanticUndefined

from onc_mirror.settings import PREFIX, MirrorSettings

README = Path(__file__).parents[2] / "README.md"


def settings_rows() -> list[str]:
    rows = []
    for name, field in MirrorSettings.model_fields.items():
        alias = field.validation_alias
        variable = alias.choices[0] if isinstance(alias, AliasChoices) else PREFIX + name.upper()
        rows.append(f"| `{variable}` | {field.description} | {default_text(field.default)} |")
    return rows


def default_text(default: Any) -> str:
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return ""
    if isinstance(default, timedelta):
        return f"`{isodate.duration_isoformat(default)}`"
    if isinstance(default, tuple):
        return f"`{','.join(default_text(part).strip('`') for part in default)}`"
    if isinstance(default, float):
        return f"`{default:g}`"
    human = getattr(default, "human_readable", None)
    return f"`{human() if human else default}`"


def test_the_settings_table_is_that_of_the_settings() -> None:
    rows = settings_rows()

    assert len(rows) > 15
    table = [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert [line for line in table if line.startswith(("| `ONC_", "| `AWS_ENDPOINT_URL"))] == rows
