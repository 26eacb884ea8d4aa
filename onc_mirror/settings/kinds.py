"""The kinds of value that settings have beyond plain ones, as the environment spells them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, SecretStr

from onc_mirror.durations import parse_duration


def split(value: Any) -> Any:
    """Turn a comma-separated list into its parts; pass everything else on."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def expand(path: Path) -> Path:
    """Put the home of the user in the place of `~`.

    Raises:
        ValueError: There is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path} begins with the home of a user who is not there") from None


def with_prom(path: Path) -> Path:
    """Return a path that node_exporter's textfile collector reads.

    Raises:
        ValueError: It does not read files of that name.
    """
    if path.suffix != ".prom":
        raise ValueError("must end in .prom, or node_exporter does not read it")
    return path


def checked_address(value: SecretStr) -> SecretStr:
    """Return an address that is asked over HTTP; as it may be a secret, what is wrong with it is told without it.

    Raises:
        ValueError: It is no http or https URL with a host.
    """
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s]*", value.get_secret_value()):
        raise ValueError("must be a URL that begins with https:// or http://")
    return value


def addresses_in(text: str) -> tuple[str, ...]:
    """The addresses in a list that commas or white space separate; commas may also be part of one.

    >>> addresses_in("slack://a/b/c, mailto://me:secret@example.org?to=x@example.org,y@example.org")
    ('slack://a/b/c', 'mailto://me:secret@example.org?to=x@example.org,y@example.org')
    """
    return tuple(filter(None, re.split(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)", text.strip(" ,\t\r\n"))))


def checked_addresses(value: SecretStr) -> SecretStr:
    """Return addresses of receivers, each with a scheme; what is wrong is told without them.

    Raises:
        ValueError: One of them has no scheme.
    """
    if not all("://" in one for one in addresses_in(value.get_secret_value())):
        raise ValueError("must be a comma-separated list of URLs such as slack://... and mailto://...")
    return value


def without_password(url: HttpUrl) -> HttpUrl:
    """Return a URL that messages may name; what is wrong with it is told without it.

    Raises:
        ValueError: It holds a user or a password.
    """
    if url.username is not None or url.password is not None:
        raise ValueError("must hold no user and no password: messages name it")
    return url


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Folder = Annotated[Path, AfterValidator(expand)]
MetricsFile = Annotated[Folder, AfterValidator(with_prom)]
PublicUrl = Annotated[HttpUrl, AfterValidator(without_password)]
Address = Annotated[SecretStr, AfterValidator(checked_address)]
Addresses = Annotated[SecretStr, AfterValidator(checked_addresses)]
