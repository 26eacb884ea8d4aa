"""Slack, Microsoft Teams and e-mail by Apprise: what they send reaches a server that speaks as theirs do."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.certificates import self_signed
from onc_mirror.alerts.causes import Cause
from onc_mirror.alerts.posting import post
from onc_mirror.alerts.receivers import AppriseReceiver
from onc_mirror.alerts.story import tell
from onc_mirror.alerts.telling import Kind, Message
from onc_mirror.ledger.alerts import Alert
from tests.support.mirrors import bench
from tests.support.raw_server import answer, raw_server
from tests.support.receivers import running_hook, smtp_receiver

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from tests.support.archive import RunningArchive
    from tests.support.raw_server import Request

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise imports it

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SILENT = Alert(
    cause=Cause.DEVICE_SILENT,
    subject="TUMLIDAR001",
    since=NOON,
    opened_at=NOON,
    count=1,
    latest=NOON,
    detail="Nothing has come since then; usually something comes within 3 h.",
    run_id="20261122T150000-1",
    link="http://prefect/runs/flow-run/7",
)
NO_MAIL = "mailto://127.0.0.1:1/?from=a@example.org&to=b@example.org&smtp=127.0.0.1"
MESSAGE = Message(Kind.OPENED, Cause.DEVICE_SILENT, (SILENT,))
TITLE = "onc-mirror: TUMLIDAR001: no new files for longer than usual"
TOLD = (
    "since 2026-11-22T12:00:00Z",
    "Run 20261122T150000-1: http://prefect/runs/flow-run/7",
    "https://example.org/runbook.md#device-silent",
)


def take(url: str, message: Message = MESSAGE) -> str:
    receiver = AppriseReceiver("it", url, 10.0, "https://example.org/runbook.md")
    receiver.prepare()
    return receiver.take(message, "s3://bucket")


def test_slack_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.slack import NotifySlack  # noqa: PLC0415 - takes long to import

    with running_hook() as hook:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{hook.url}/services")

        trouble = take("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ")

    assert hook.paths == ["/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"], trouble
    assert all(text in hook.requests[0][1] for text in (TITLE, *TOLD))


def test_a_name_calls_nobody_and_links_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.slack import NotifySlack  # noqa: PLC0415 - takes long to import

    name = "<!channel> <https://evil.example|a> [b](https://evil.example) c_d.hdf5"
    hostile = Message(Kind.OPENED, Cause.DEVICE_SILENT, (replace(SILENT, detail=name),))
    with running_hook() as hook:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{hook.url}/services")

        take("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", hostile)
    with smtp_receiver() as sink:
        take(sink.url, hostile)
        mail = sink.wait_for(TITLE)

    assert "&lt;!channel> &lt;https://evil.example|a> [b](https://evil.example) c_d.hdf5" in hook.requests[0][1]
    assert name in mail.body


def test_microsoft_teams_is_told_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))

    with running_hook(context) as hook:
        trouble = take(f"workflows://{hook.url.removeprefix('https://')}/w0rkfl0w123/signature")

    assert not trouble
    assert hook.paths[0].startswith("/workflows/w0rkfl0w123/triggers/manual/paths/invoke?")
    assert all(text in hook.requests[0][1] for text in (TITLE, *TOLD))


def test_a_mail_is_sent() -> None:
    with smtp_receiver() as sink:
        trouble = take(sink.url)

        assert not trouble
        mail = sink.wait_for(TITLE)
        assert all(text in mail.body for text in TOLD)


def test_a_message_that_is_refused_keeps_no_other_back(archive: RunningArchive, tmp_path: Path) -> None:
    refused = replace(SILENT, cause=Cause.TOKEN_REJECTED)
    with running_hook() as hook, bench(archive, tmp_path, alert_webhook=hook.url).open() as parts:
        hook.statuses = [413]
        parts.ledger.alerts.settle([refused, SILENT], (), NOON)

        tell(parts)

        assert [cause for _, cause, _ in hook.told()] == ["token-rejected", "device-silent"]
        assert [one.cause for one in parts.ledger.alerts.tellings()] == ["device-silent"]


def test_of_an_answer_without_an_end_only_the_head_is_read() -> None:
    sent = 0

    def flood(_: Request, connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(answer(length=None))
        while sent < 100 * 2**20:
            sent += connection.send(bytes(2**16))

    with raw_server(flood) as receiver:
        trouble = post(receiver.url, "{}", "application/json", 5.0)

    assert not trouble
    assert sent < 50 * 2**20


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nosuchservice://canary-0f1e2d3c", "its URL in ONC_MIRROR_ALERT_URLS is none that Apprise knows"),
        (NO_MAIL, "Connection error while submitting email"),
    ],
)
def test_why_a_message_was_not_taken_is_told(url: str, why: str) -> None:
    trouble = take(url)

    assert trouble.startswith(why)
    assert "canary" not in trouble
