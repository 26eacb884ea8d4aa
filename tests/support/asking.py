"""Plain HTTP for tests that look at what a server really answers."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import urllib3

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error_code(self) -> int:
        return int(self.json["errors"][0]["errorCode"])

    @property
    def names(self) -> list[str]:
        """File names of a listing, whatever its rows are."""
        return [row if isinstance(row, str) else row["filename"] for row in self.json["files"]]


def ask(url: str, *, method: str = "GET", body: Any = None, timeout: float = 5.0) -> Answer:
    """One request on a connection of its own, without retries or decoding."""
    content = None if body is None else json.dumps(body).encode()
    with urllib3.PoolManager(retries=False, timeout=timeout) as pool:
        response = pool.request(method, url, body=content, decode_content=False)
        return Answer(response.status, response.headers, response.data)


@contextmanager
def streaming(url: str, *, timeout: float = 5.0) -> Iterator[urllib3.BaseHTTPResponse]:
    """The response before its body was read."""
    with urllib3.PoolManager(retries=False, timeout=timeout) as pool:
        response = pool.request("GET", url, preload_content=False)
        try:
            yield response
        finally:
            response.close()
