"""What `infra/audit.py` says of the versions that run in production, with a stand-in of osv.dev and without."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.raw_server import unused_url

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


class Database(ThreadingHTTPServer):
    """Answers as osv.dev does: there is something against the packages in `bad`, and nothing against the others."""

    def __init__(self, bad: set[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.bad = bad

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/query"


class _Answer(BaseHTTPRequestHandler):
    server: Database

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
        body = json.dumps(vulnerability(asked) if asked in self.server.bad else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        del format, args


def vulnerability(name: str) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": "99.1"}]
    affected = {"package": {"name": name, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {"vulns": [{"id": "GHSA-c4na-ry00", "details": "Bad.", "affected": [affected]}]}


@pytest.fixture
def database() -> Iterator[Database]:
    with Database({"click"}) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def audit(url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "infra/audit.py", "--osv-url", url]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_a_known_vulnerability_fails_the_check_by_name(database: Database) -> None:
    done = audit(database.url)

    first, last = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, "")
    assert first.startswith("click ")
    assert first.endswith(": GHSA-c4na-ry00, fixed in 99.1")
    assert last.endswith("dependencies were looked up; 1 of them have known vulnerabilities.")


def test_without_a_network_the_check_passes_and_says_that_nothing_is_known() -> None:
    done = audit(unused_url())

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith("NOT AUDITED: the database could not be asked, so nothing is known.\n")
