"""An S3 endpoint that does one thing wrong. It keeps one bucket in memory and checks nothing."""

from __future__ import annotations

import hashlib
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class FaultyS3:
    """What the endpoint does and holds.

    Attributes:
        url: Where it is.
        spoil: Makes of the bytes it is given those it keeps.
        tag: Makes its entity tag of the bytes it keeps.
        status: Answered to everything in `fails` when it is not 0.
        fails: Methods.
        body: Goes with that status.
        objects: Kept bytes and metadata headers by path.
        requests: Method and path of everything asked.
    """

    url: str = ""
    spoil: Callable[[bytes], bytes] = bytes
    tag: Callable[[bytes], str] = lambda body: hashlib.md5(body, usedforsecurity=False).hexdigest()
    status: int = 0
    fails: tuple[str, ...] = ("PUT", "HEAD", "GET", "DELETE")
    body: bytes = b""
    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)


@contextmanager
def faulty_s3(faults: FaultyS3, certificate: Path | None = None) -> Iterator[FaultyS3]:
    """Run the endpoint, over TLS when it is given a file with a certificate and its key."""

    class Handler(_Handler):
        endpoint = faults

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        faults.url = f"http://127.0.0.1:{server.server_port}"
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            faults.url = faults.url.replace("http:", "https:")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield faults
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: FaultyS3

    def do_PUT(self) -> None:
        given = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._fails():
            metadata = {name: value for name, value in self.headers.items() if name.lower().startswith("x-amz-meta-")}
            self.endpoint.objects[self.path] = (self.endpoint.spoil(given), metadata)
            self._reply(200)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if not self._fails():
            is_bucket = self.path.count("/") == 1
            found = self.endpoint.objects.get(self.path, (b"", {}) if is_bucket else None)
            self._reply(200, *found) if found else self._reply(404)

    def do_DELETE(self) -> None:
        if not self._fails():
            self.endpoint.objects.pop(self.path, None)
            self._reply(204)

    def _fails(self) -> bool:
        self.endpoint.requests.append(f"{self.command} {self.path}")
        fails = bool(self.endpoint.status) and self.command in self.endpoint.fails
        if fails:
            self._reply(self.endpoint.status, self.endpoint.body)
        return fails

    def _reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", formatdate(usegmt=True))
        self.send_header("ETag", f'"{self.endpoint.tag(body)}"')
        self.send_header("Retry-After", "7")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle(self) -> None:
        # A client that does not trust us says so and leaves.
        with suppress(ssl.SSLError, ConnectionError):
            super().handle()

    def log_message(self, *_: object) -> None:
        return
