"""A small server that tells the metrics as they stand when it is asked."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from onc_mirror.errors import SettingsError
from onc_mirror.faults import named
from onc_mirror.ledger import open_ledger
from onc_mirror.metrics.exposition import registry_of, take_picture
from onc_mirror.redacting import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from onc_mirror.metrics.exposition import Picture
    from onc_mirror.settings import MetricsSettings

logger = logging.getLogger(__name__)

# A client that connects and says nothing must not hold its thread for ever.
_PATIENCE_S = 30


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class's
        """Tell in a line what ended an answer; the base class writes a traceback for each client that has gone."""
        error = sys.exception()
        if isinstance(error, OSError):
            logger.info("scrape=dropped cause=%s", type(error).__name__)
        elif isinstance(error, Exception):
            logger.error("scrape=failed detail=%r", str(named(error)))


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE_S

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing: a scrape every few seconds is no event."""


@contextmanager
def serving(
    address: str, port: int, settings: MetricsSettings, clock: Callable[[], datetime]
) -> Iterator[WSGIServer]:
    """Give the `with` block a server that listens; it answers within `serve_forever`.

    The ledger is opened for each answer, so that one that is not there yet, or is away for a while, costs that answer
    and no more: HTTP 503, and why.

    Args:
        address: Where to listen.
        port: Where to listen; 0: any free one.
        settings: Where the ledger is.
        clock: Says what time it is, UTC.

    Raises:
        SettingsError: Nobody can listen there, or the device table cannot be read.
    """
    app: WSGIApplication = make_wsgi_app(registry_of(lambda: look(settings, clock()), settings))

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except Exception as error:  # noqa: BLE001 - wsgiref would write a traceback for whatever a client asks
            fault = named(error)
            logger.warning("scrape=failed reason=%s detail=%r", fault.reason, str(fault))
            start_response("503 Service Unavailable", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{redact(str(fault))}\n".encode()]

    try:
        server = make_server(address, port, answer, server_class=_Server, handler_class=_Handler)
    except (OSError, OverflowError) as error:
        cause = error.strerror if isinstance(error, OSError) else "no such port"
        raise SettingsError(f"Nobody can listen at {address}:{port} ({cause}). Choose another address.") from None
    with server:
        yield server


def look(settings: MetricsSettings, now: datetime) -> Picture:
    """Read everything that is told.

    Raises:
        NoLedgerError: There is none yet. Zeros would say that all is well where nothing is known.
        MirrorError: The ledger is out of reach.
    """
    with open_ledger(settings.ledger, variable=settings.ledger_variable, create=False) as ledger:
        return take_picture(ledger, settings.scratch, now)
