"""What receivers are told, in words that they can take."""

from __future__ import annotations

from datetime import UTC, datetime

from onc_mirror.alerts.causes import Cause
from onc_mirror.alerts.telling import Kind, Message
from onc_mirror.alerts.words import json_of, text_of
from onc_mirror.ledger.alerts import Alert

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_message_about_very_many_devices_stays_one_that_a_receiver_takes() -> None:
    many = tuple(
        Alert(
            cause=Cause.QUARANTINE, subject=f"D{number}", since=NOON, opened_at=NOON, count=1, latest=NOON,
            detail="d" * 10_000, run_id="r",
        )
        for number in range(30_000)
    )  # fmt: skip
    message = Message(Kind.OPENED, Cause.QUARANTINE, many)

    assert "... and 29980 more: see onc-mirror alerts." in text_of(message, "s3://b", "r").splitlines()
    assert len(json_of(message, "s3://b", "r")) < 200_000
