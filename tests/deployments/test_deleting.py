"""Deleting on a Prefect server what is gone already."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient

from deployments.deleting import delete


def test_what_is_gone_already_is_deleted_and_what_is_refused_is_not() -> None:
    answers = httpx.MockTransport(lambda request: httpx.Response(403 if "refused" in request.url.host else 404))
    with SyncPrefectClient("http://gone/api", httpx_settings={"transport": answers}) as client:
        for call in (client.delete_automation, client.delete_deployment, client.delete_block_document):
            delete(call, uuid4())
    with (
        SyncPrefectClient("http://refused/api", httpx_settings={"transport": answers}) as client,
        pytest.raises(httpx.HTTPStatusError),
    ):
        delete(client.delete_automation, uuid4())
