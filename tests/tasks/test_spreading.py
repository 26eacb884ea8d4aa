"""What a backfill that waits for its parts makes of a Prefect server in trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from tasks.spreading import state_of
from tests.support.raw_server import unused_url

if TYPE_CHECKING:
    from collections.abc import Iterator


def answering(status: int) -> SyncPrefectClient:
    transport = httpx.MockTransport(lambda _: httpx.Response(status))
    return SyncPrefectClient("http://prefect/api", httpx_settings={"transport": transport})


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        yield


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_that_cannot_say_how_a_part_stands_is_asked_again_later(status: int) -> None:
    with answering(status) as client:
        assert state_of(client, uuid4()) is None


def test_so_is_one_that_is_not_there() -> None:
    with SyncPrefectClient(f"{unused_url()}api") as client:
        assert state_of(client, uuid4()) is None


def test_one_that_refuses_is_not() -> None:
    with answering(403) as client, pytest.raises(httpx.HTTPStatusError):
        state_of(client, uuid4())
