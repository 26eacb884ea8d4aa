"""HTTP to those who are told: one POST, within a time, and what came of it in words that hold no address.

Whoever knows such an address can write to it, so it is in no text that leaves this module.
"""

from __future__ import annotations

import time
from http import HTTPStatus

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as NoAnswerError

STEPS = 3
"""Timeouts that a message may take in all: to connect, to be answered, and again."""

_ATTEMPTS = 2
_PAUSE_S = 0.5
_REDIRECTS = 3


def post(url: str, body: str, content_type: str, timeout_s: float) -> str:
    """Send `body`, and once more when that may help.

    Args:
        url: Where to.
        body: What.
        content_type: Its media type.
        timeout_s: Seconds for each step of an attempt.

    Returns:
        Why it was not taken, as the end of a sentence; empty when it was.
    """
    trouble = ""
    with urllib3.PoolManager(timeout=urllib3.Timeout(timeout_s)) as pool:
        for attempt in range(_ATTEMPTS):
            time.sleep(_PAUSE_S * attempt)
            status, trouble = _try(pool, url, body, content_type)
            if status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
    return trouble


def _try(pool: urllib3.PoolManager, url: str, body: str, content_type: str) -> tuple[int | None, str]:
    retries = urllib3.Retry(connect=0, read=0, status=0, other=0, redirect=_REDIRECTS)
    headers = {"Content-Type": content_type, "User-Agent": "onc-mirror"}
    try:
        status = pool.request("POST", url, body=body.encode(), headers=headers, retries=retries).status
    except HTTPError as error:
        return None, _explain(error)
    except ValueError:  # of urllib3, for a URL that is none after all; its text quotes it
        return 0, "its URL cannot be used"
    return status, "" if HTTPStatus(200) <= status < HTTPStatus.MULTIPLE_CHOICES else f"it answered HTTP {status}"


def _explain(error: HTTPError) -> str:
    cause = error.reason if isinstance(error, MaxRetryError) else error
    if isinstance(cause, SSLError):
        return "its certificate cannot be trusted"
    # urllib3 calls a refused connection a timeout, too.
    is_late = isinstance(cause, NoAnswerError) and not isinstance(cause, NewConnectionError)
    return "it did not answer in time" if is_late else "there is no connection to it"
