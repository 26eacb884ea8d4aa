from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support.flow_runs import ArchiveControl, Deployed, end_runs, environment_of, use

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.sandbox.up import Sandbox
    from tests.support.stores import Endpoint

STORES = [name for name in os.environ.get("ONC_MIRROR_TEST_STORES", "file,swift").split(",") if name != "file"]


@pytest.fixture
def archive(sandbox: Sandbox) -> Iterator[ArchiveControl]:
    control = ArchiveControl(sandbox.options.archive_url)
    control.clear()
    yield control
    control.clear()
    control.close()


@pytest.fixture
def deployed(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    """A mirror into the sandbox's own S3 endpoint; the test's environment points to it, too."""
    yield use(Deployed(sandbox, environment_of(tmp_path / "state", uuid.uuid4().hex[:8])), monkeypatch)
    end_runs(sandbox)


@pytest.fixture(params=STORES)
def deployed_everywhere(
    request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployed]:
    """As `deployed`, into every S3 server that is asked for."""
    environment = environment_of(tmp_path / "state", uuid.uuid4().hex[:8])
    if request.param == "ceph":
        endpoint: Endpoint = request.getfixturevalue("ceph")
        environment |= {
            "AWS_ENDPOINT_URL": endpoint.url,
            "AWS_ACCESS_KEY_ID": endpoint.access_key,
            "AWS_SECRET_ACCESS_KEY": endpoint.secret_key,
            "ONC_MIRROR_STORE_URL": f"s3://{endpoint.create_bucket()}",
        }
    yield use(Deployed(sandbox, environment), monkeypatch)
    end_runs(sandbox)
