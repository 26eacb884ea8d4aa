"""Two filters of the proxy's pipeline: a cache without memcached, and one user with any access key.

The cache matters: without one Swift asks the account and container servers about every request. With it HEAD was 2.2
times and PUT of 20 kB 1.7 times as frequent on 2 cores (measured 2026-11).
"""

from __future__ import annotations

import json
import os
import time as clock
from typing import TYPE_CHECKING, Any

from swift.common.middleware.tempauth import TempAuth

from infra.sandbox.swift.keys import ACCESS_KEY_VARIABLE, ACCOUNT, SECRET_KEY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    Application = Callable[[dict[str, Any], Any], Any]
    Filter = Callable[[Application], Application]


class Memory:
    """What Swift asks of memcached, in the only process that would ask it."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[float, str]] = {}

    def get(self, key: str, **_: Any) -> Any:
        """Return a copy of what is known, or None."""
        expires_at, text = self._values.get(key, (0.0, "null"))
        return json.loads(text) if clock.monotonic() < expires_at else None

    def set(self, key: str, value: Any, *, time: float, **_: Any) -> None:
        """Remember a value for `time` seconds."""
        self._values[key] = (clock.monotonic() + time, json.dumps(value))

    def delete(self, key: str, **_: Any) -> None:
        """Forget a value."""
        self._values.pop(key, None)


def remember(_settings: dict[str, str], **_: str) -> Filter:
    """Make the filter that gives every request the one memory."""
    memory = Memory()

    def make(application: Application) -> Application:
        def answer(request: dict[str, Any], start_response: Any) -> Any:
            request["swift.cache"] = memory
            return application(request, start_response)

        return answer

    return make


def authenticate(settings: dict[str, str], **own: str) -> Filter:
    """Make Swift's test authentication with one user, whose keys come from the environment.

    In its configuration an access key must be `ACCOUNT:USER`, and neither key may hold a blank or a percent sign.
    """
    access_key = os.environ[ACCESS_KEY_VARIABLE]

    def make(application: Application) -> Application:
        users = TempAuth(application, settings | own)
        url = f"$HOST/v1/{ACCOUNT}"
        users.users[access_key] = {"key": os.environ[SECRET_KEY_VARIABLE], "url": url, "groups": [".admin"]}
        authenticated: Application = users
        return authenticated

    return make
