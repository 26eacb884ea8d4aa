"""Who is told: a webhook that gets JSON, and whatever else Apprise can reach (Slack, Microsoft Teams, e-mail, ...).

A receiver has a name that is no secret, and tells why it did not take a message instead of raising: that one is dead
must not matter to a run.
"""

from __future__ import annotations

import html
import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from onc_mirror.alerts.posting import STEPS, post
from onc_mirror.alerts.telling import Kind
from onc_mirror.alerts.words import json_of, text_of, title_of
from onc_mirror.markup import unmarked
from onc_mirror.redacting import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from apprise import NotifyBase, NotifyFormat

    from onc_mirror.alerts.telling import Message
    from onc_mirror.settings import AlertSettings


class Receiver(Protocol):
    """Somebody who is told."""

    @property
    def name(self) -> str:
        """Who, without any secret."""
        ...

    def prepare(self) -> None:
        """Load what it needs, so that the time for its answer is not spent on that."""
        ...

    def take(self, message: Message, store_url: str) -> str:
        """Hand a message over.

        Returns:
            Why it was not taken, as the end of a sentence without secrets; empty when it was.
        """
        ...


class Webhook:
    """A URL that gets JSON, as `words` has it."""

    name = "webhook"

    def __init__(self, url: str, timeout_s: float, runbook: str) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._runbook = runbook

    def prepare(self) -> None:
        """See `Receiver`."""

    def take(self, message: Message, store_url: str) -> str:
        """See `Receiver`."""
        return post(self._url, json_of(message, store_url, self._runbook), "application/json", self._timeout_s)


class AppriseReceiver:
    """Whatever an Apprise URL names. `prepare` it first."""

    def __init__(self, name: str, url: str, timeout_s: float, runbook: str) -> None:
        self.name = name
        self._url = url
        self._timeout_s = timeout_s
        self._runbook = runbook
        self._service: NotifyBase | None = None

    def prepare(self) -> None:
        """See `Receiver`."""
        import apprise  # noqa: PLC0415 - takes a second with all its services, and most runs have nothing to tell

        with _heard():
            found = apprise.Apprise.instantiate(self._url)
        if isinstance(found, apprise.NotifyBase):
            found.socket_connect_timeout = found.socket_read_timeout = self._timeout_s
            # Each is retried when the next run is over, and the few messages of a run are no flood.
            found.retry, found.wait, found.request_rate_per_sec = 0, 0.0, 0
            self._service = found

    def take(self, message: Message, store_url: str) -> str:
        """See `Receiver`."""
        import apprise  # noqa: PLC0415 - as in `prepare`

        if self._service is None:
            return "its URL in ONC_MIRROR_ALERT_URLS is none that Apprise knows"
        body, body_format = _spelled(text_of(message, store_url, self._runbook), self._service.notify_format)
        with _heard() as said:
            try:
                taken = self._service.notify(
                    title=title_of(message),
                    body=body,
                    notify_type=apprise.NotifyType(_TYPES[message.kind]),
                    body_format=body_format,
                )
            except Exception as error:  # noqa: BLE001 - of whatever service; it must not matter to a run
                return f"it failed with {type(error).__name__}"
        return "" if taken else clean(said[0] if said else "it did not say why").rstrip(".")


def _spelled(text: str, shown_as: NotifyFormat) -> tuple[str, NotifyFormat]:
    """Return `text` so that a service shows it word for word, and what to call that.

    Names in it are whatever an archive lists: `<!channel>` calls everybody in a Slack channel, and a link or an image
    of somebody else's is not to be in a message of ours.
    """
    from apprise import NotifyFormat as Format  # noqa: PLC0415 - as in `prepare`

    if shown_as is Format.HTML:
        return html.escape(text).replace("\n", "<br/>\n"), Format.HTML
    if shown_as is Format.MARKDOWN:
        # Of Markdown that it is told to be made from HTML, Apprise makes Slack's own; else it takes it for Slack's.
        return unmarked(text), Format.HTML
    return text, Format.TEXT


_TYPES = {
    Kind.OPENED: "failure",
    Kind.MORE: "failure",
    Kind.REMINDER: "warning",
    Kind.ENDED: "success",
    Kind.TEST: "info",
}


def receivers_of(settings: AlertSettings) -> tuple[Receiver, ...]:
    """The receivers that are set; Apprise's are called by their scheme, and numbered when there are several."""
    timeout_s, runbook = settings.alert_timeout_s / STEPS, settings.runbook
    found: list[Receiver] = []
    if settings.alert_webhook is not None:
        found.append(Webhook(settings.alert_webhook.get_secret_value(), timeout_s, runbook))
    names: dict[str, int] = {}
    for url in settings.alert_addresses:
        scheme = url.partition("://")[0].lower()
        names[scheme] = number = names.get(scheme, 0) + 1
        found.append(AppriseReceiver(scheme if number == 1 else f"{scheme}-{number}", url, timeout_s, runbook))
    return tuple(found)


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Keep what Apprise says in this thread out of all logs, as it may hold an address, and give its complaints."""
    said: list[str] = []
    here = threading.get_ident()

    def hear(record: logging.LogRecord) -> bool:
        if record.thread != here:
            return True
        if record.levelno >= logging.WARNING:
            said.append(record.getMessage())
        return False

    logger = logging.getLogger("apprise")
    logger.addFilter(hear)
    try:
        yield said
    finally:
        logger.removeFilter(hear)
