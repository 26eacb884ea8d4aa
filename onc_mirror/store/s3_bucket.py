"""One bucket as s3fs reaches it: every call from any thread, with limits on time and the mirror's errors.

s3fs runs its client on a thread of its own; calls from our threads wait for it there. Repeats are botocore's, which
rewinds a body before it sends it again; those of s3fs do not, and are not used.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from fsspec.asyn import sync
from s3fs import S3FileSystem

from onc_mirror.store.s3_errors import explain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from onc_mirror.store.body import Slice

_Result = TypeVar("_Result")

_CONNECTIONS = 64
_FAILURES = (BotoCoreError, ClientError, ResponseParserError, aiohttp.ClientError, OSError)


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a bucket; credentials and region come from botocore's own chain, the environment first.

    Attributes:
        bucket: Its name.
        endpoint: URL of the endpoint, None for AWS.
        aws: Whether the endpoint is one of AWS.
        connect_timeout_s: Seconds to wait for a connection.
        stall_timeout_s: Seconds without a byte in either direction after which a request is given up.
        attempts: How often a request is sent at most.
        checksums: `when_required` or `when_supported`.
    """

    bucket: str
    endpoint: str | None
    aws: bool
    connect_timeout_s: float
    stall_timeout_s: float
    attempts: int
    checksums: str

    @property
    def where(self) -> str:
        """The bucket for people."""
        return f"bucket {self.bucket} at {self.endpoint or 'AWS'}"

    def config(self) -> dict[str, Any]:
        """Return the arguments of botocore's `Config`."""
        return {
            "connect_timeout": self.connect_timeout_s,
            "read_timeout": self.stall_timeout_s,
            "max_pool_connections": _CONNECTIONS,
            "retries": {"mode": "standard", "total_max_attempts": self.attempts},
            "request_checksum_calculation": self.checksums,
            "response_checksum_validation": self.checksums,
            "s3": {
                "addressing_style": "auto" if self.aws else "path",
                # Over http botocore would hash every body on the one thread that moves all bytes, a quarter of the
                # CPU time of an upload; the signature covers Content-MD5, as over https.
                "payload_signing_enabled": False,
            },
        }


class Bucket:
    """Calls operations of the S3 API on one bucket. Thread-safe, for up to 64 threads at once.

    Attributes:
        name: Its name.
        where: The bucket for people, as error messages name it.
    """

    def __init__(self, connection: Connection) -> None:
        self.where = connection.where
        self.name = connection.bucket
        self._stall_timeout_s = connection.stall_timeout_s
        self._client: Any = None
        self._filesystem = S3FileSystem(
            session=_session(),
            endpoint_url=connection.endpoint,
            config_kwargs=connection.config(),
            use_listings_cache=False,
            skip_instance_cache=True,
        )

    def call(self, operation: str, *, key: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call an operation and return its answer.

        Raises:
            MirrorError: As `s3_errors` explains it.
        """
        return self.run(lambda: self._call(operation, key, parameters), key=key)

    def send(self, operation: str, body: Slice, *, key: str, **parameters: Any) -> dict[str, Any]:
        """Call an operation with a streamed body, and give up when the store stops taking it.

        aiohttp limits the time between bytes it reads, not between bytes it writes; so that is watched here.
        """
        return self.run(lambda: self._send(operation, key, {**parameters, "Body": body}), key=key)

    def run(self, job: Callable[[], Awaitable[_Result]], *, key: str | None = None) -> _Result:
        """Run a coroutine on the thread of s3fs, wait for it here, and translate what it raises."""
        try:
            result: _Result = sync(self._filesystem.loop, job)
        except _FAILURES as error:
            failure = explain(error, where=self.where, key=key)
        else:
            return result
        raise failure

    def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            self.run(self._client.close)

    async def _call(self, operation: str, key: str | None, parameters: dict[str, Any]) -> dict[str, Any]:
        client = self._client = await self._filesystem.set_session()
        address = {"Bucket": self.name} | ({} if key is None else {"Key": key})
        answer: dict[str, Any] = await getattr(client, operation)(**address, **parameters)
        return answer

    async def _send(self, operation: str, key: str, parameters: dict[str, Any]) -> dict[str, Any]:
        body: Slice = parameters["Body"]
        request = asyncio.create_task(self._call(operation, key, parameters))
        try:
            while not (await asyncio.wait({request}, timeout=min(self._stall_timeout_s / 4, 5)))[0]:
                if body.stalled_s() > self._stall_timeout_s:
                    raise TimeoutError
        finally:
            request.cancel()
            await asyncio.wait({request})
        return request.result()


def _session() -> Any:
    session = AioSession()
    session.register_component("data_loader", _descriptions())
    return session


@cache
def _descriptions() -> Loader:
    """Return botocore's descriptions of S3 and AWS, kept for the process: parsing them is most of a client's cost."""
    return Loader()
