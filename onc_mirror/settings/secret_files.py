"""Secrets that come in files: where `NAME` is not set, `NAME_FILE` names the file that holds its value.

That is how Docker and Kubernetes mount secrets, and how systemd hands over credentials
(`LoadCredential=onc-token:/etc/...`, `Environment=ONC_TOKEN_FILE=%d/onc-token`): a file that one service can read, in
place of a variable that all its children inherit. White space at the ends, such as the last line's end, is no part of
the secret. What was read is kept out of logs and messages as the variables are.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onc_mirror.errors import SettingsError
from onc_mirror.settings.secrets import keep_secret, secret_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_settings import BaseSettings

SUFFIX = "_FILE"

_LARGEST = 64 * 1024


def secrets_in_files(environment: Mapping[str, str], kind: type[BaseSettings]) -> dict[str, str]:
    """Return the secrets that files hold, by field name; an empty file counts as none, as an empty variable does.

    Args:
        environment: The variables.
        kind: The settings that are wanted.

    Raises:
        SettingsError: A file cannot be read or is no text, or the variable is set as well.
    """
    found = {}
    for variable, field in secret_variables(kind).items():
        path = environment.get(variable + SUFFIX, "").strip()
        if not path:
            continue
        if environment.get(variable, "").strip():
            raise SettingsError(f"{variable}{SUFFIX}: {variable} is set as well; unset one of them")
        value = _read(variable + SUFFIX, path)
        if value:
            keep_secret(variable, value)
            found[field] = value
    return found


def _read(variable: str, path: str) -> str:
    # What is no path from the root may be the secret itself.
    shown = path if path.startswith("/") else "what it names"
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise SettingsError(f"{variable}: {shown} cannot be read ({error.strerror})") from None
    try:
        text = content.decode("utf-8-sig").strip()  # some editors on Windows begin a file with a mark
    except UnicodeDecodeError:
        text = "\0"
    if len(content) > _LARGEST or "\0" in text:
        raise SettingsError(f"{variable}: {shown} must hold the secret as text and nothing else")
    return text
