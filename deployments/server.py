"""The connection to a Prefect server, and what goes wrong with it in our words."""

from __future__ import annotations

from contextlib import contextmanager
from json import JSONDecodeError
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from deployments.errors import ServerRefusedError, ServerUnreachableError
from onc_mirror.errors import MirrorError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_DETAIL = 500


def server_url() -> str:
    """Where the Prefect server is, without a password.

    Raises:
        SettingsError: Nobody says, or it is no URL.
    """
    given: str | None = PREFECT_API_URL.value()
    if not given:
        raise SettingsError(
            "PREFECT_API_URL: is not set. It says where the Prefect server is, such as http://127.0.0.1:4200/api."
        )
    try:
        parts = urlsplit(given)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, or a port that is none
        usable = False
    if not usable:
        raise _no_url()
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


@contextmanager
def connected() -> Iterator[SyncPrefectClient]:
    """Connect to the server of PREFECT_API_URL; whatever goes wrong within is told in our words.

    Raises:
        SettingsError: There is no such setting, or the server does not accept PREFECT_API_AUTH_STRING.
        ServerUnreachableError: Nobody answers, or the server is in trouble.
        ServerRefusedError: The server refuses something, or it is no Prefect server.
    """
    url = server_url()
    try:
        with get_client(sync_client=True) as client:
            _check_prefect(client, url)
            yield client
    except ObjectNotFound as error:
        raise _refused(url, error.http_exc) from None
    except httpx.HTTPStatusError as error:
        raise _refused(url, error) from None
    except httpx.HTTPError as error:
        raise ServerUnreachableError(
            f"No Prefect server answers at {url} ({type(error).__name__}). Does it run, and is PREFECT_API_URL right?"
        ) from None
    except (httpx.InvalidURL, UnicodeError):  # of a host that can be no name
        raise _no_url() from None
    except ValueError as error:  # also that of pydantic, whose text quotes what came
        raise ServerRefusedError(
            f"What answers at {url} is no Prefect server that we understand ({type(error).__name__}). Is it of this"
            " version of Prefect, and is PREFECT_API_URL right?"
        ) from None


def _check_prefect(client: SyncPrefectClient, url: str) -> None:
    """Ask for the version, which a Prefect server gives as a JSON string to those whom it lets in."""
    try:
        version = client.request("GET", "/admin/version").json()
    except (UnicodeDecodeError, JSONDecodeError):
        raise _no_prefect(url) from None
    except httpx.HTTPStatusError as error:  # a Prefect server itself says so where /api is missing
        if error.response.status_code == httpx.codes.NOT_FOUND:
            raise _no_prefect(url) from None
        raise
    if not isinstance(version, str):
        raise _no_prefect(url)


def _no_url() -> SettingsError:
    return SettingsError("PREFECT_API_URL: is no URL such as http://127.0.0.1:4200/api.")


def _refused(url: str, error: Exception) -> MirrorError:
    if not isinstance(error, httpx.HTTPStatusError):
        return ServerRefusedError(
            f"The Prefect server at {url} does not have what was asked for. If somebody else changes things there,"
            " repeat it."
        )
    status, request = error.response.status_code, error.request
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return SettingsError(
            f"The Prefect server at {url} does not let us in (HTTP {status}). Set PREFECT_API_AUTH_STRING to what its"
            " PREFECT_SERVER_API_AUTH_STRING is."
        )
    try:
        detail = str(error.response.json()["detail"])[:_LONGEST_DETAIL]
    except (ValueError, KeyError, TypeError):
        return _no_prefect(url) if status < httpx.codes.INTERNAL_SERVER_ERROR else _in_trouble(url, status)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return _in_trouble(url, status)
    asked = f"{request.method} {request.url.path}"
    return ServerRefusedError(f"The Prefect server at {url} refuses {asked}: {detail}", status=status)


def _in_trouble(url: str, status: int) -> MirrorError:
    return ServerUnreachableError(f"The Prefect server at {url} is in trouble; its log says why.", status=status)


def _no_prefect(url: str) -> MirrorError:
    return ServerRefusedError(
        f"What answers at {url} is no Prefect server. PREFECT_API_URL is that of its API, and ends in /api."
    )
