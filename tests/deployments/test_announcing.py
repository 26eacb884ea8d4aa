"""Announcing a deploy to the automations of a server, when they hear of it and when they do not."""

from __future__ import annotations

import json
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient

from deployments.announcing import announce


@pytest.mark.parametrize("heard", [True, False])
def test_what_nobody_has_heard_is_left_to_be_announced_by_the_next_deploy(*, heard: bool) -> None:
    asked: list[str] = []
    made = {"id": str(uuid4())}

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url.path}")
        if request.url.path == "/api/events/filter":
            return httpx.Response(200, json={"events": [1] if heard else []})
        if request.url.path == "/api/automations/":
            made.update(json.loads(request.content))
        return httpx.Response(404 if "csrf" in request.url.path else 200, json=made)

    with SyncPrefectClient("http://server/api", httpx_settings={"transport": httpx.MockTransport(handle)}) as client:
        assert announce(client, [], wait_s=0.1) is heard

    assert (f"DELETE /api/automations/{made['id']}" in asked) is heard
