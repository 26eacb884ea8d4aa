"""The dead-man's switch: a service outside is told that an hourly run begins, and how it ended.

As healthchecks.io has it (https://healthchecks.io/docs/http_api/, read 2026-11): a POST to the URL says that all is
well, to `<url>/start` that a run begins, to `<url>/fail` that it failed; the body is kept for people. When nothing
comes, the service tells: then cron, Prefect, the machine or the network is dead.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from onc_mirror.alerts.posting import STEPS, post
from onc_mirror.redacting import clean
from onc_mirror.threads import within

if TYPE_CHECKING:
    from onc_mirror.settings import AlertSettings

logger = logging.getLogger(__name__)

_in_turn = threading.Lock()
"""A begin that comes after its end is one without an end: the service would tell of a run that hangs."""


def ping_begun(settings: AlertSettings) -> None:
    """Say that a run begins; the run does not wait for it."""
    if settings.ping_url is not None:
        threading.Thread(target=_ping, args=(settings, "start", ""), name="ping", daemon=True).start()


def ping_ended(settings: AlertSettings, *, is_good: bool, sentence: str) -> None:
    """Say how a run ended.

    Args:
        settings: Where to, and for how long.
        is_good: Whether nothing failed in it.
        sentence: What became of it.
    """
    if settings.ping_url is None:
        return
    done = within(settings.alert_timeout_s, [lambda: _ping(settings, "" if is_good else "fail", sentence)], "ping")
    if done[0] is None:
        logger.warning("ping=%s taken=no detail=%r", "good" if is_good else "fail", "It did not answer in time.")


def ping_address(url: str, what: str) -> str:
    """The address that says something.

    >>> ping_address("https://hc-ping.com/5f3c?create=1", "fail")
    'https://hc-ping.com/5f3c/fail?create=1'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{what}".rstrip("/")))


def _ping(settings: AlertSettings, what: str, sentence: str) -> bool:
    url = settings.ping_url.get_secret_value() if settings.ping_url else ""
    with _in_turn:
        trouble = post(ping_address(url, what), clean(sentence), "text/plain", settings.alert_timeout_s / STEPS)
    if trouble:
        logger.warning("ping=%s taken=no detail=%r", what or "good", f"ONC_MIRROR_PING_URL: {trouble}.")
    return not trouble
