"""An HTTP receiver of alerts and pings that keeps what came, and answers as it is told."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


@dataclass
class Hook:
    """A receiver that listens.

    Attributes:
        url: Where.
        requests: Path and body of each request, oldest first.
        statuses: What it answers, in order; then 200.
        silent: Whether it takes requests and never answers.
    """

    url: str
    requests: list[tuple[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    silent: bool = False
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def came(self) -> list[Any]:
        """The bodies that are JSON."""
        return [json.loads(body) for _, body in self.requests if body.startswith("{")]

    @property
    def paths(self) -> list[str]:
        """The paths that were asked."""
        return [path for path, _ in self.requests]

    def told(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Kind, cause and subjects of each message; forgets them."""
        found = [(one["kind"], one["cause"], tuple(a["subject"] for a in one["alerts"])) for one in self.came]
        self.requests.clear()
        return found

    def wait_for(self, number: int) -> None:
        """Return once so many requests have come."""
        wait_until(lambda: len(self.requests) >= number)


@contextmanager
def running_hook(context: ssl.SSLContext | None = None) -> Iterator[Hook]:
    """Start a receiver on a free port; with a context it speaks TLS."""
    hook = Hook("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            hook.requests.append((self.path, body))
            if hook.silent:
                hook.closing.wait(30)
                return
            self.send_response(hook.statuses.pop(0) if hook.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        hook.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield hook
        finally:
            hook.closing.set()
            server.shutdown()
            thread.join()
