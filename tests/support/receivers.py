"""Receivers of alerts: an HTTP endpoint, also for pings, and an SMTP server, both real; they keep what they got."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Message:
    """A message that came.

    Attributes:
        at: When, by `time.time`.
        subject: Its subject.
        body: Its text.
    """

    at: float
    subject: str
    body: str


@dataclass
class Receiver:
    """A receiver that listens.

    Attributes:
        url: Where.
        messages: What it took so far, oldest first.
    """

    url: str
    messages: list[Message] = field(default_factory=list)

    def wait_for(self, subject: str, *, after: int = 0, timeout_s: float = 60.0) -> Message:
        """Return the first message of that subject among those that came after the first `after` ones.

        Raises:
            TimeoutError: None came.
        """
        wait_until(lambda: any(one.subject == subject for one in self.messages[after:]), timeout_s=timeout_s)
        return next(one for one in self.messages[after:] if one.subject == subject)


@dataclass
class Hook(Receiver):
    """A receiver by HTTP, which answers as it is told.

    Attributes:
        requests: Path and body of each request, oldest first.
        statuses: What it answers, in order; then `status`.
        status: What it answers then. A message that is not answered with 200 is not taken.
        silent: Whether it takes requests and never answers.
    """

    requests: list[tuple[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    status: int = 200
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

    def wait_for_requests(self, number: int) -> None:
        """Return once so many requests have come."""
        wait_until(lambda: len(self.requests) >= number)

    def take(self, path: str, body: str) -> int:
        """Keep a request; returns what it is answered."""
        self.requests.append((path, body))
        status = self.statuses.pop(0) if self.statuses else self.status
        came = json.loads(body) if body.startswith("{") else {}
        if status == 200 and "title" in came:
            self.messages.append(Message(time.time(), came["title"], came.get("text", "")))
        return status


@contextmanager
def running_hook(context: ssl.SSLContext | None = None) -> Iterator[Hook]:
    """Start a receiver by HTTP on a free port; with a context it speaks TLS."""
    hook = Hook("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            status = hook.take(self.path, body)
            if hook.silent:
                hook.closing.wait(30)
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with _serving(server) as port:
        hook.url = f"{'https' if context else 'http'}://127.0.0.1:{port}"
        try:
            yield hook
        finally:
            hook.closing.set()


@contextmanager
def smtp_receiver() -> Iterator[Receiver]:
    """Take mails by SMTP without encryption or log-in."""
    receiver = Receiver("")

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 sink ESMTP")
            for line in self.rfile:
                match line.strip().split(b" ")[0].upper():
                    case b"DATA":
                        self._say("354 go on")
                        receiver.messages.append(self._mail())
                        self._say("250 taken")
                    case b"QUIT":
                        return self._say("221 bye")
                    case _:
                        self._say("250 sink")
            return None

        def _say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

        def _mail(self) -> Message:
            lines = iter(self.rfile.readline, b".\r\n")
            mail = message_from_bytes(b"".join(line.removeprefix(b".") for line in lines), policy=policy.default)
            text = mail.get_body(("plain", "html"))
            return Message(time.time(), str(mail["Subject"]), str(text.get_content()) if text else "")

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        receiver.url = f"mailto://127.0.0.1:{port}/?from=mirror@example.org&to=operator@example.org&smtp=127.0.0.1"
        yield receiver


@contextmanager
def _serving(server: ThreadingHTTPServer | socketserver.ThreadingTCPServer) -> Iterator[int]:
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
