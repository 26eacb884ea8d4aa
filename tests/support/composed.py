"""The services of the compose file as processes, for tests: with the archive and the store of the session.

A composition that is asked for (`ONC_MIRROR_TEST_COMPOSED=1`) must be possible; without that, tests that need one are
skipped where PostgreSQL, Redis or nginx are not installed.
"""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import NullPool, create_engine, inspect, text

from infra.sandbox.composed.composition import Composition
from infra.sandbox.composed.file import Override
from infra.sandbox.composed.images import missing_programs
from infra.sandbox.composed.keys import Keys
from infra.sandbox.orchestrator import DEPLOYMENT, Orchestrator
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.sandbox.orchestrator import FlowRun
    from tests.support.archive import RunningArchive
    from tests.support.stores import Endpoint

_LONGEST_S = 180.0
_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Composed:
    """A composition that is up, as somebody sees it who has its passwords.

    Attributes:
        composition: Its containers.
        keys: Its secrets.
        store: Where its objects are.
        bucket: In which bucket.
        trusted: Trusts its certificate and no other.
        orchestrator: Its Prefect API, through the proxy.
    """

    composition: Composition
    keys: Keys
    store: Endpoint
    bucket: str
    trusted: ssl.SSLContext
    orchestrator: Orchestrator

    @contextmanager
    def client(self, *auth: str) -> Iterator[httpx.Client]:
        """Somebody at the proxy, with user and password or without."""
        with httpx.Client(
            base_url=self.composition.url,
            auth=(auth[0], auth[1]) if auth else None,
            verify=self.trusted,
            timeout=30,
            trust_env=False,
        ) as client:
            yield client

    def mirror(self, *devices: str, meanwhile: Callable[[], None]) -> FlowRun:
        """Run the hourly deployment to its end; again when the schedule's own run was at work.

        Args:
            devices: Which.
            meanwhile: Called once, when it is at work.
        """
        while True:
            run = self.orchestrator.trigger(DEPLOYMENT, parameters={"devices": devices})
            run = self._wait(run, "RUNNING")
            if not run.is_final:
                meanwhile()
                return self._wait(run)
            if not run.was_crowded_out:
                return run

    def _wait(self, run: FlowRun, *states: str) -> FlowRun:
        def is_there() -> bool:
            nonlocal run
            run = self.orchestrator.flow_run(run.id)
            return run.is_final or run.state_type in states

        wait_until(is_there, timeout_s=_LONGEST_S, every_s=_POLL_S)
        return run

    def objects(self) -> list[str]:
        """The keys in the bucket."""
        pages = self.store.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def rows(self, database: str) -> dict[str, list[str]]:
        """Every row of a database as text, by table."""
        port = self.composition.port("postgresql", 5432)
        url = f"postgresql+psycopg://onc:{self.keys.database}@127.0.0.1:{port}/{database}"
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            return {
                table: list(connection.execute(text(f'SELECT "{table}"::text FROM "{table}"')).scalars())  # noqa: S608 - names of the database itself
                for table in inspect(connection).get_table_names()
            }


def require_composition() -> None:
    """Skip the test where a program is missing; fail it when a composition was asked for."""
    if (reason := missing_programs()) is None:
        return
    if os.environ.get("ONC_MIRROR_TEST_COMPOSED"):
        pytest.fail(f"ONC_MIRROR_TEST_COMPOSED asks for it. {reason}", pytrace=False)
    pytest.skip(reason)


@contextmanager
def running_composition(archive: RunningArchive, store: Endpoint) -> Iterator[Composed]:
    """Run all services; nothing of them is left afterwards."""
    keys = Keys(archive.token, store.access_key, store.secret_key)
    files, bucket = keys.files(), store.create_bucket()
    variables = {"ONC_MIRROR_STORE_URL": f"s3://{bucket}", "AWS_ENDPOINT_URL": store.url}
    # A worker looks for work every 15 s otherwise.
    worker = Override({"ONC_MIRROR_ARCHIVE_URL": archive.url, "PREFECT_WORKER_QUERY_SECONDS": "2"})
    trusted = ssl.create_default_context(cadata=files["tls-certificate"])
    with (
        Composition(files, variables, {"worker": worker}) as composition,
        Orchestrator(composition.url, auth=("admin", keys.prefect), trusted=trusted) as orchestrator,
    ):
        yield Composed(composition, keys, store, bucket, trusted, orchestrator)
