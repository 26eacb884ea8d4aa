"""Prefect as the compose file has it, PostgreSQL and Redis included, and as many workers as are asked for."""

from __future__ import annotations

import json
import ssl
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import NullPool, create_engine, text

from benchmarks.measuring import CommandFailedError
from infra.sandbox.composed.composition import Composition
from infra.sandbox.composed.file import Override
from infra.sandbox.composed.keys import Keys
from infra.sandbox.orchestrator import Orchestrator
from onc_mirror.flow_names import BACKFILL, BACKFILL_PART
from onc_mirror.ledger import open_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.servers import Servers
    from infra.sandbox.composed.container import Container
    from infra.sandbox.orchestrator import FlowRun

_DEPLOYMENT = f"{BACKFILL}/backfill"
# One run at a time: a worker stands for a machine that has room for one, and none takes all that there is to do.
_COMMAND = ("prefect", "worker", "start", "--pool", "onc-mirror", "--limit", "1")
_LOOKS_EVERY_S = 2
_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """An empty ledger on the composition's PostgreSQL.

    Attributes:
        url: Its SQLAlchemy URL.
        variables: What a run has in its environment that uses it; no secret.
    """

    url: str = field(repr=False)
    variables: Mapping[str, str]

    def reports(self, flow: str) -> list[dict[str, Any]]:
        """Return the reports of the runs of a flow, newest first."""
        with open_ledger(self.url) as ledger:
            texts = [ledger.report(run.run_id) for run in ledger.runs(1000) if run.flow == flow]
        return [json.loads(one) for one in texts if one is not None]

    def mirrored(self) -> int:
        """Return how many files it says are mirrored."""
        return int(self._ask("SELECT count(*) FROM files WHERE state = 'mirrored'")[0][0])

    def parts_at_work(self) -> dict[str, int]:
        """Return the process of each part that has begun and not ended, by run."""
        found = self._ask(f"SELECT run_id, process FROM runs WHERE flow = '{BACKFILL_PART}' AND finished_at IS NULL")  # noqa: S608 - our own name
        # The last but one of its words; see onc_mirror/run/processes.py.
        return {run_id: int(process.split("/")[-2]) for run_id, process in found}

    def _ask(self, question: str) -> list[Any]:
        with create_engine(self.url, poolclass=NullPool).connect() as connection:
            return list(connection.execute(text(question)))


class ComposedServers:
    """A composition that is up."""

    def __init__(self, composition: Composition, orchestrator: Orchestrator, keys: Keys) -> None:
        self._composition = composition
        self._orchestrator = orchestrator
        self._keys = keys

    def create_ledger(self) -> LedgerPlace:
        """Create an empty ledger, and the file that its URL is handed over in."""
        name = f"ledger_{uuid.uuid4().hex[:8]}"
        server = (
            f"postgresql+psycopg://onc:{self._keys.database}@127.0.0.1:{self._composition.port('postgresql', 5432)}"
        )
        with create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        url = f"{server}/{name}"
        open_ledger(url).close()
        path = self._composition.folder / name
        path.touch(mode=0o600)
        path.write_text(url, encoding="utf-8")
        return LedgerPlace(url, {"ONC_MIRROR_LEDGER_URL_FILE": str(path)})

    def begin_backfill(self, parameters: Mapping[str, Any], variables: Mapping[str, str]) -> FlowRun:
        """Schedule a backfill for now."""
        return self._orchestrator.trigger(_DEPLOYMENT, parameters=parameters, environment=variables)

    def look(self, run_id: str) -> FlowRun:
        """Look at a run."""
        return self._orchestrator.flow_run(run_id)

    def finish(self, run_id: str, timeout_s: float) -> FlowRun:
        """Wait for the end of a run.

        Raises:
            CommandFailedError: It has not ended in time, or not well.
        """
        deadline = time.monotonic() + timeout_s
        while not (run := self.look(run_id)).is_final:
            if time.monotonic() > deadline:
                raise CommandFailedError(f"The backfill is {run.state_name} after {timeout_s:.0f} s.")
            time.sleep(_POLL_S)
        if not run.is_completed:
            raise CommandFailedError(f"The backfill is {run.state_name}: {run.message}")
        return run

    def have_workers(self, count: int) -> None:
        """Start or stop workers until there are so many; between runs."""
        alive = [one for one in self._composition.containers("worker") if one.exit_code is None]
        for _ in range(count - len(alive)):
            self._composition.start("worker")
        for surplus in alive[count:]:
            surplus.ask_to_stop()
        for surplus in alive[count:]:
            surplus.wait_until_stopped()

    def worker_of(self, pid: int) -> Container:
        """Return the worker that a process belongs to.

        Raises:
            CommandFailedError: It has ended meanwhile.
        """
        for worker in self._composition.containers("worker"):
            if pid in {process.pid for process in worker.processes()}:
                return worker
        raise CommandFailedError("The part that was to be killed ended by itself. Try again.")


@contextmanager
def running_composition(servers: Servers, workers: int) -> Iterator[ComposedServers]:
    """Run everything with so many workers, each with room for one run, until the context ends."""
    variables = servers.environment()
    keys = Keys(servers.token, variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    files = keys.files()
    worker = {
        "ONC_MIRROR_ARCHIVE_URL": servers.archive_url,
        "PREFECT_WORKER_QUERY_SECONDS": str(_LOOKS_EVERY_S),
    }
    environment = {"ONC_MIRROR_STORE_URL": servers.create_store(), "AWS_ENDPOINT_URL": variables["AWS_ENDPOINT_URL"]}
    trusted = ssl.create_default_context(cadata=files["tls-certificate"])
    with (
        Composition(files, environment, {"worker": Override(worker, _COMMAND, workers)}) as composition,
        Orchestrator(composition.url, auth=("admin", keys.prefect), trusted=trusted) as orchestrator,
    ):
        yield ComposedServers(composition, orchestrator, keys)
