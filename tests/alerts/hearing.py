"""Who is told, and how long a message took to them."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.receivers import running_hook, smtp_receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.receivers import Hook, Message, Receiver

LONGEST_S = 300.0

FAILED = "onc-mirror: mirror-hour/hourly failed"
TIMED_OUT = "onc-mirror: mirror-hour/hourly timed out"
CRASHED = "onc-mirror: mirror-hour/hourly crashed"
AGAIN = "onc-mirror: mirror-hour/hourly works again"
NO_SUCCESS = "onc-mirror: no success of mirror-hour"
SUCCEEDS = "onc-mirror: mirror-hour succeeds again"
UNDELIVERED = "onc-mirror: alert not delivered"


@dataclass(frozen=True, slots=True)
class Ears:
    """The receivers.

    Attributes:
        http: Gets all messages by HTTP.
        smtp: Gets all messages by mail.
        pings: The dead-man's switch.
    """

    http: Hook
    smtp: Receiver
    pings: Hook

    @property
    def addresses(self) -> dict[str, str]:
        """The settings that name the first two."""
        return {"ONC_MIRROR_ALERT_WEBHOOK": self.http.url, "ONC_MIRROR_ALERT_URLS": self.smtp.url}

    @property
    def messages(self) -> list[Message]:
        """All that came."""
        return [*self.http.messages, *self.smtp.messages]


@contextmanager
def ears() -> Iterator[Ears]:
    """Start the receivers."""
    with ExitStack() as stack:
        yield Ears(
            stack.enter_context(running_hook()),
            stack.enter_context(smtp_receiver()),
            stack.enter_context(running_hook()),
        )


def told(what: str, since: float, receiver: Receiver, subject: str) -> str:
    """Wait for a message that came after `since`, and say how long after."""
    before = sum(one.at < since for one in receiver.messages)
    with contextlib.suppress(TimeoutError):
        return f"{what}: {receiver.wait_for(subject, after=before, timeout_s=LONGEST_S).at - since:.1f} s"
    return f"{what}: NOT TOLD"


def told_by_both(what: str, since: float, by: Ears, subject: str) -> str:
    """Wait for it at both receivers."""
    return f"{told(what, since, by.http, subject)};{told(' by mail', since, by.smtp, subject)}"
