"""Which settings are secret, and what this process knows of their values: those that are declared as `SecretStr`.

This is all there is to say about one: that it may come in a file (`secret_files`), is masked in whatever is written
down (`onc_mirror.redacting`) and shown in no complaint (`complaints`) is found out from here.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, get_args

from pydantic import SecretStr

from onc_mirror.settings.declared import MirrorSettings, variable_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

_kept: dict[str, str] = {}


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting is declared as secret."""
    return _names_a_secret(field.annotation)


@functools.cache
def secret_variables(kind: type[BaseSettings] = MirrorSettings) -> Mapping[str, str]:
    """The fields of `kind` that are secret, by variable."""
    return {variable_of(name, kind): name for name, field in kind.model_fields.items() if is_secret(field)}


def keep_secret(variable: str, value: str) -> None:
    """Remember for this process the value of a secret that came by another way than its variable."""
    _kept[variable] = value


def known_values() -> tuple[str, ...]:
    """The values of all secret settings, as far as the environment or `keep_secret` told them."""
    variables = dict.fromkeys([*secret_variables(), *_kept])
    values = (os.environ.get(variable, "").strip() or _kept.get(variable) for variable in variables)
    return tuple(value for value in values if value)


def _names_a_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(_names_a_secret, get_args(annotation)))
