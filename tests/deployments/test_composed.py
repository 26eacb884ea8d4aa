"""The services of the compose file as processes: what `docker compose up` gives an operator, without an engine."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx
import psutil
import pytest
import redis
from prefect.blocks.system import Secret
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_URL,
    temporary_settings,
)
from pydantic import SecretStr
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.composed import Composed, require_composition, running_composition
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.sandbox.orchestrator import FlowRun
    from tests.support.archive import RunningArchive
    from tests.support.stores import Endpoint

# Eight Prefect processes start for the first of them, which takes minutes where others are at work.
pytestmark = pytest.mark.timeout(600)

DEVICE = "TUMPMTSPECTROMETER001"
BLOCK_VALUE = "c4nary-of-a-block"


@pytest.fixture(scope="module")
def composed(one_archive: RunningArchive, swift: Endpoint) -> Iterator[Composed]:
    require_composition()
    one_archive.faults.clear()
    one_archive.set_clock(None)
    with running_composition(one_archive, swift) as running:
        yield running


@pytest.fixture(scope="module")
def run(composed: Composed) -> FlowRun:
    """An hour, mirrored while one of the two APIs is killed."""
    return composed.mirror(DEVICE, meanwhile=composed.composition.containers("api")[0].kill)


def test_nobody_gets_through_the_proxy_without_the_password(composed: Composed) -> None:
    for auth in ((), ("admin", "wrong"), ("", "")):
        with composed.client(*auth) as stranger:
            for path in ("/api/flow_runs/filter", "/api/deployments/filter", "/api/admin/database/clear"):
                assert stranger.post(path, json={}).status_code == httpx.codes.UNAUTHORIZED, (auth, path)
            assert stranger.get("/api/health").json() is True
            assert "<html" in stranger.get("/").text
    with composed.client("admin", composed.keys.prefect) as operator:
        assert operator.post("/api/deployments/filter", json={}).status_code == httpx.codes.OK
    plain = httpx.get(composed.composition.url.replace("https", "http"), trust_env=False)
    assert plain.status_code == httpx.codes.BAD_REQUEST


def test_events_are_told_through_the_proxy_to_those_with_the_password(composed: Composed) -> None:
    assert said_to(composed, f"admin:{composed.keys.prefect}")["type"] == "auth_success"
    with pytest.raises(ConnectionClosed):
        said_to(composed, "admin:wrong")


def test_an_hour_is_mirrored_with_postgresql_and_redis_while_an_api_is_killed(
    composed: Composed, run: FlowRun, one_archive: RunningArchive
) -> None:
    assert run.state_type == "COMPLETED", run.message
    assert composed.composition.containers("api")[0].exit_code is not None
    with composed.client() as anybody:
        assert {anybody.get("/api/health").status_code for _ in range(20)} == {httpx.codes.OK}
    ledger = composed.rows("ledger")
    # Those of others may come from the schedule's own run.
    mirrored = [key for key in composed.objects() if key.startswith(f"raw/{DEVICE}/")]
    assert mirrored
    assert all(one_archive.row(Path(key).name) for key in mirrored)
    assert len(ledger["files"]) >= len(mirrored)
    assert any(run.id in row for row in composed.rows("prefect")["flow_run"])
    # What alerts tell people to follow.
    assert any(f"{composed.composition.url}/runs/flow-run/{run.id}" in row for row in ledger["runs"])
    with events(composed) as streams:
        assert streams.keys("*events*")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=composed.composition.port("redis", 6379)).ping()


@pytest.mark.usefixtures("run")
def test_a_worker_finds_nothing_wrong_and_is_alive(composed: Composed) -> None:
    """As an operator asks it by `docker compose exec`, and as the image's health check does."""
    worker = composed.composition.containers("worker")[0]

    for arguments in (("doctor",), ("doctor", "--liveness")):
        done = worker.run("onc-mirror", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.usefixtures("run")
def test_no_secret_is_anywhere_but_in_its_file(composed: Composed) -> None:
    certificate = composed.composition.containers("proxy")[0].log.parent / "run" / "secrets" / "tls-certificate"
    settings = {
        PREFECT_API_URL: f"{composed.composition.url}/api",
        PREFECT_API_AUTH_STRING: f"admin:{composed.keys.prefect}",
        PREFECT_API_SSL_CERT_FILE: str(certificate),
    }
    with temporary_settings(settings):
        Secret(value=SecretStr(BLOCK_VALUE)).save("of-a-test", overwrite=True)
        assert cast("Secret[Any]", Secret.load("of-a-test")).get() == BLOCK_VALUE
    words = [*composed.keys.words(), BLOCK_VALUE]
    # While a run's process lives, Prefect keeps its environment in a file that nobody else may read.
    folder = composed.composition.folder
    wait_until(lambda: not list(folder.glob("worker-*/tmp/prefect-workspace-attempt-*")))

    found, seen = [], 0
    for path in folder.rglob("*"):
        if path.is_file() and path.parent.name != "secrets":
            seen += 1
            content = path.read_bytes()
            found += [str(path) for word in words if word.encode() in content]
    rows = {name: composed.rows(name) for name in ("prefect", "ledger")}
    commands = []
    for process in (process for one in composed.composition.all_containers() for process in one.processes()):
        with suppress(psutil.NoSuchProcess):  # short ones end meanwhile
            commands.append(process.cmdline())
    reports = [composed.store.client.get_object(Bucket=composed.bucket, Key=key) for key in composed.objects()]
    texts = [json.dumps(rows), json.dumps(commands), *(repr(one["Metadata"]) for one in reports)]
    texts += [one["Body"].read().decode("latin-1") for one in reports]

    assert seen > 50
    assert sum(map(len, rows["prefect"].values())) > 100
    assert len(commands) > 10
    assert not found
    assert not [word for word in words for text in texts if word in text]
    # The key to the blocks is not beside them.
    assert not [row for row in rows["prefect"]["configuration"] if "ENCRYPTION_KEY" in row]


def said_to(composed: Composed, password: str) -> dict[str, Any]:
    """What the API first answers to who wants to hear of all events."""
    url = f"{composed.composition.url.replace('https', 'wss')}/api/events/out"
    with connect(url, ssl=composed.trusted, subprotocols=["prefect"], proxy=None) as socket:  # type: ignore[list-item]
        socket.send(json.dumps({"type": "auth", "token": password}))
        answer: dict[str, Any] = json.loads(socket.recv(timeout=20))
        return answer


def events(composed: Composed) -> redis.Redis:
    return redis.Redis(port=composed.composition.port("redis", 6379), password=composed.keys.redis)
