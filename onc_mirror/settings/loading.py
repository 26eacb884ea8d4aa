"""Reading the settings, and saying what is wrong with them."""

from __future__ import annotations

import logging
import os
from typing import Any, TypeVar, overload

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from onc_mirror.errors import SettingsError
from onc_mirror.settings.complaints import complaint, unknown_variables
from onc_mirror.settings.declared import PREFIX, LogSettings, MirrorSettings, variable_of
from onc_mirror.settings.secret_files import SUFFIX, secrets_in_files
from onc_mirror.settings.secrets import secret_variables

logger = logging.getLogger(__package__)

S = TypeVar("S", bound=BaseSettings)


@overload
def load_settings(**overrides: Any) -> MirrorSettings: ...
@overload
def load_settings(kind: type[S], **overrides: Any) -> S: ...
def load_settings(kind: type[BaseSettings] = MirrorSettings, **overrides: Any) -> BaseSettings:
    """Read the settings from the environment.

    Args:
        kind: The settings that are needed: all, or those of the archive or the ledger alone.
        overrides: Values by field name that stand in for the environment's.

    Raises:
        SettingsError: A setting is missing or wrong; the message is a line per setting and names the variable.
    """
    if kind is not LogSettings:  # they are read first, and say how such a warning looks
        for warning in unknown_variables(os.environ, PREFIX, variables()):
            logger.warning("%s", warning)
    try:
        return kind(**{**secrets_in_files(os.environ, kind), **overrides})
    except ValidationError as error:
        told = dict.fromkeys(_explain(problem, kind) for problem in error.errors(include_url=False))
    raise SettingsError("\n".join(told))


def variables() -> tuple[str, ...]:
    """Every variable that says a setting or names the file of one."""
    in_files = (variable + SUFFIX for variable in secret_variables())
    return (*map(variable_of, MirrorSettings.model_fields), *in_files)


def _explain(problem: Any, kind: type[BaseSettings]) -> str:
    given = str(problem["loc"][0]) if problem["loc"] else "settings"
    field = {"ONC_TOKEN": "token"}.get(given, given.lower())
    return complaint(variable_of(field, kind), problem, kind.model_fields.get(field))
