"""Receivers of alerts: an HTTP endpoint and an SMTP server, both real, which keep what they got and when."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from tests.support.waiting import wait_until

if TYPE_CHECKING:
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
        messages: What came so far, oldest first.
        refused: How many messages were not taken; those by HTTP while `refuses`.
        refuses: Answer with an error.
    """

    url: str
    messages: list[Message] = field(default_factory=list)
    refused: int = 0
    refuses: bool = False

    def wait_for(self, subject: str, *, after: int = 0, timeout_s: float = 60.0) -> Message:
        """Return the first message of that subject among those that came after the first `after` ones.

        Raises:
            TimeoutError: None came.
        """
        wait_until(lambda: any(one.subject == subject for one in self.messages[after:]), timeout_s=timeout_s)
        return next(one for one in self.messages[after:] if one.subject == subject)


@contextmanager
def http_receiver() -> Iterator[Receiver]:
    """Take alerts by POST, as JSON objects with `title` and `text`."""
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if receiver.refuses:
                receiver.refused += 1
            else:
                receiver.messages.append(Message(time.time(), came["title"], came["text"]))
            self.send_response(500 if receiver.refuses else 204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        receiver.url = f"http://127.0.0.1:{port}/alerts"
        yield receiver


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
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
