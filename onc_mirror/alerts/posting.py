"""HTTP to those who are told: one POST, within a time, and what came of it in words that hold no address.

Whoever knows such an address can write to it, so it is in no text that leaves this module. Of an answer nothing is
read but its head: a body may be endless, or a bomb.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError, SSLError
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
    try:
        status = _answer(pool, url, body, content_type)
    except HTTPError as error:
        return None, _explain(error)
    except ValueError:  # of urllib3, for a URL that is none after all; its text quotes it
        return 0, "its URL cannot be used"
    return status, "" if HTTPStatus(200) <= status < HTTPStatus.MULTIPLE_CHOICES else f"it answered HTTP {status}"


def _answer(pool: urllib3.PoolManager, url: str, body: str, content_type: str) -> int:
    """Return the status of the answer, after some redirects."""
    headers = {"Content-Type": content_type, "User-Agent": "onc-mirror"}
    for _ in range(_REDIRECTS + 1):
        # urllib3 would follow redirects by itself, and read the whole body of each before.
        response = pool.request(
            "POST", url, body=body.encode(), headers=headers, retries=False, redirect=False, preload_content=False
        )
        response.close()
        target = response.get_redirect_location()
        if not target or response.status == HTTPStatus.SEE_OTHER:  # 303: it was taken, and there is something to see
            break
        url = urljoin(url, target)
    return HTTPStatus.OK if response.status == HTTPStatus.SEE_OTHER else response.status


def _explain(error: HTTPError) -> str:
    if isinstance(error, SSLError):
        return "its certificate cannot be trusted"
    # urllib3 calls a refused connection a timeout, too.
    is_late = isinstance(error, NoAnswerError) and not isinstance(error, NewConnectionError)
    return "it did not answer in time" if is_late else "there is no connection to it"
