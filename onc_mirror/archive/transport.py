"""HTTP to the archive: kept connections, timeouts, errors as types, and a token that stays in here.

Guarantees: at most `connections` requests are in flight; a failure is a `MirrorError` with neither the token nor
a library's exception in its text, cause or context; every JSON answer has the token masked before it is parsed,
because the API echoes it (`queryUrl`, `next.url`); a redirect is followed on the same host only, as the token goes
along.

Trap: the API takes its token in the query string, so that urllib3's errors and debug lines hold it. Hence errors
are built from clean parts and raised outside the `except` block, so that not even `__context__` refers to the
library's, and urllib3's logs are redacted.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from onc_mirror.archive.answers import date_of, error_from, one_line
from onc_mirror.archive.body import Body, failure_of
from onc_mirror.archive.parsing import TooCostlyError, parse_json
from onc_mirror.archive.wire import POOLS
from onc_mirror.errors import GarbledAnswerError, MirrorError, SettingsError
from onc_mirror.redacting import MASK, SHORTEST_SECRET, RedactingFilter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from pydantic import SecretStr
    from urllib3.response import BaseHTTPResponse

# 100,000 rows of a listing are 40 MiB; what is larger than this is no listing.
LARGEST_ANSWER_BYTES = 64 * 2**20
LARGEST_ERROR_BYTES = 64 * 2**10

_REDIRECTS = 5
_REDACTING = RedactingFilter()
# The loggers of urllib3 that tell addresses: of every request, and in a warning when a head is garbled.
_TELLERS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")


class Transport:
    """One pool of connections to the archive. Thread-safe."""

    def __init__(
        self,
        base_url: str,
        token: SecretStr,
        *,
        connect_timeout_s: float,
        stall_timeout_s: float,
        connections: int,
    ) -> None:
        if urlsplit(base_url).scheme not in {"http", "https"} or not urlsplit(base_url).hostname:
            raise SettingsError("ONC_MIRROR_ARCHIVE_URL must be an http or https URL.")
        self._base_url = base_url.partition("?")[0].rstrip("/") + "/"
        self._token = token
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            block=True,
            timeout=urllib3.Timeout(connect=connect_timeout_s, read=stall_timeout_s),
            headers={"User-Agent": f"onc-mirror/{version('onc-mirror')}"},
        )
        self._pool.pool_classes_by_scheme = POOLS
        for name in _TELLERS:
            logging.getLogger(name).addFilter(_REDACTING)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.clear()

    def get_json(self, service: str, parameters: Mapping[str, str], subject: str | None) -> Any:
        """Ask `service` and return its parsed answer.

        Raises:
            MirrorError: See `answers.error_from` for statuses and `Body.read` for connections.
            GarbledAnswerError: The answer is not JSON, or too much of it.
        """
        with self.stream(service, parameters, subject, encodings="gzip") as body:
            text = self._masked(self._read(body, subject))
        try:
            return parse_json(text)
        except TooCostlyError:
            failure = GarbledAnswerError(
                f"The archive's answer of {len(text)} bytes has far more values, or is nested far more deeply, than"
                " its rows can have. Try again later, or list a shorter window.",
                subject=subject,
            )
        except ValueError:
            failure = GarbledAnswerError(
                f"The archive's answer is not JSON; it begins with {one_line(text[:40].decode(errors='replace'))!r}."
                " Try again later; if it stays so, check ONC_MIRROR_ARCHIVE_URL.",
                subject=subject,
            )
        raise failure

    @contextmanager
    def stream(
        self, service: str, parameters: Mapping[str, str], subject: str | None, *, encodings: str = "identity"
    ) -> Iterator[Body]:
        """Ask `service` and give its body to the `with` block; a body that is not read to its end is dropped.

        Args:
            service: Path below `/api/`.
            parameters: Query parameters without the token.
            subject: File or device that errors name.
            encodings: What the archive may encode the body with.

        Raises:
            MirrorError: See `answers.error_from` for statuses and `Body.read` for connections.
        """
        response = self._open(urljoin(self._base_url, f"api/{service}"), parameters, subject, encodings)
        try:
            if response.status != HTTPStatus.OK:
                raise error_from(response.status, response.headers, self._error_body(response), subject)
            yield Body(response, subject)
        finally:
            _let_go(response)

    @contextmanager
    def stream_file(self, service: str, parameters: Mapping[str, str], subject: str) -> Iterator[Body]:
        """As `stream`, of a body that is kept as it is, so that the token must not be in it.

        Raises:
            MirrorError: As `stream`.
        """
        with self.stream(service, parameters, subject) as body:
            body.keep_out(self._secret())
            yield body

    def server_time(self, path: str = "") -> datetime:
        """Return the archive's clock as the `Date` of an answer, in whole seconds, rounded down.

        Args:
            path: What to ask for, without a token.

        Raises:
            MirrorError: There is no connection, or the answer has no date.
        """
        response = self._send(urljoin(self._base_url, path), None, None)
        _let_go(response)
        date = date_of(response.headers)
        if date is None:
            raise GarbledAnswerError("The archive's answer has no Date header. Check ONC_MIRROR_ARCHIVE_URL.")
        return date

    def _open(
        self, address: str, parameters: Mapping[str, str], subject: str | None, encodings: str
    ) -> BaseHTTPResponse:
        for _ in range(_REDIRECTS):
            response = self._send(address, parameters, subject, encodings)
            target = _redirection(response, address)
            if target is None:
                return response
            _let_go(response)
            if not _same_host(address, target[0]):
                break
            address, parameters = target[0], target[1] or parameters
        raise GarbledAnswerError(
            "The archive redirects to another host, or in circles; the token must not follow."
            " Check ONC_MIRROR_ARCHIVE_URL, or wait when the archive is in maintenance.",
            subject=subject,
        )

    def _send(
        self, address: str, parameters: Mapping[str, str] | None, subject: str | None, encodings: str = "identity"
    ) -> BaseHTTPResponse:
        """Send one request, with the token unless `parameters` is None."""
        try:
            return self._pool.urlopen(
                "GET",
                # Put together here and not kept, so that no frame of ours holds the token when a traceback
                # is printed with its variables.
                # "replace": hostile rows hold text that has no bytes.
                f"{address}?"
                f"{urlencode([*parameters.items(), ('token', self._token.get_secret_value())], errors='replace')}"
                if parameters is not None
                else address,
                redirect=False,
                retries=False,
                preload_content=False,
                headers={**self._pool.headers, "Accept-Encoding": encodings},
            )
        except HTTPError as error:
            failure = failure_of(error, subject)
        raise failure

    def _read(self, body: Body, subject: str | None) -> bytes:
        pieces = []
        left = LARGEST_ANSWER_BYTES
        while piece := body.read(2**20):
            left -= len(piece)
            if left < 0:
                raise GarbledAnswerError(
                    f"The archive's answer is larger than {LARGEST_ANSWER_BYTES} bytes. List a shorter window.",
                    subject=subject,
                )
            pieces.append(piece)
        return b"".join(pieces)

    def _error_body(self, response: BaseHTTPResponse) -> bytes:
        try:
            return self._masked(Body(response, None).read(LARGEST_ERROR_BYTES))
        except MirrorError:  # the status alone says enough
            return b""

    def _masked(self, text: bytes) -> bytes:
        secret = self._secret()
        return text.replace(secret, MASK.encode()) if secret else text

    def _secret(self) -> bytes:
        """The token; nothing when it is so short that it may be anywhere."""
        token = self._token.get_secret_value()
        return token.encode() if len(token) >= SHORTEST_SECRET else b""


def _let_go(response: BaseHTTPResponse) -> None:
    """Give the connection back: kept when the body was read to its end, closed when not."""
    response.close()
    response.release_conn()


def _redirection(response: BaseHTTPResponse, address: str) -> tuple[str, dict[str, str]] | None:
    """Return the address, empty when it is none, and the parameters without the token that it redirects to."""
    location = response.get_redirect_location()
    if not location:
        return None
    try:
        target = urlsplit(urljoin(address, location))
        _ = target.port  # looked at because it is checked only then
    except ValueError:
        return "", {}
    named = parse_qsl(target.query, keep_blank_values=True)
    return (
        target._replace(query="", fragment="").geturl(),
        {name: value for name, value in named if name != "token"},
    )


def _same_host(one: str, other: str) -> bool:
    old, new = urlsplit(one), urlsplit(other)
    upgraded = (old.scheme, old.port, new.scheme, new.port) == ("http", None, "https", None)
    return old.hostname == new.hostname and (upgraded or (old.scheme, old.port) == (new.scheme, new.port))
