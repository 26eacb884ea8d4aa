"""Bringing a sandbox up: archive stand-in, S3 endpoint, Prefect server, worker and deployments.

`running_sandbox` starts what does not depend on anything side by side, since a new Prefect database alone takes
some 15 seconds, and stops everything whatever happens.
"""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.sandbox.buckets import BucketError, SandboxBucket
from infra.sandbox.environment import part_environment, write_env_file
from infra.sandbox.options import ACCESS_KEY, BUCKET, SECRET_KEY, SandboxOptions
from infra.sandbox.orchestrator import WORK_POOL, Orchestrator
from infra.sandbox.parts import POLL_S, Command, Part, PartError, Parts
from infra.sandbox.ports import find_conflicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_S = 120.0
DEPLOY_S = 120.0


class SandboxError(Exception):
    """A sandbox cannot be started as asked; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox that is up.

    Attributes:
        options: How and where it runs.
        parts: Its processes.
        orchestrator: Its Prefect server.
    """

    options: SandboxOptions
    parts: Parts
    orchestrator: Orchestrator


@contextmanager
def running_sandbox(options: SandboxOptions, say: Callable[[str], None]) -> Iterator[Sandbox]:
    """Start everything, hand it over once it can be used, and stop everything.

    Args:
        options: How and where.
        say: Gets a line for each step.

    Raises:
        SandboxError: The state folder or a port is taken. Nothing was started.
        PartError: A part did not start.
    """
    options.logs.mkdir(parents=True, exist_ok=True)
    with _only_one(options):
        options = options.with_free_ports()
        if conflicts := find_conflicts(options.claims):
            raise SandboxError("\n".join(conflicts))
        write_env_file(options)
        with (
            Parts(part_environment(options), options.logs, say) as parts,
            Orchestrator(options.prefect_url) as orchestrator,
        ):
            sandbox = Sandbox(options, parts, orchestrator)
            _start(sandbox, say)
            yield sandbox


@contextmanager
def _only_one(options: SandboxOptions) -> Iterator[None]:
    with (options.state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SandboxError(
                f"Another sandbox is using {options.state}. Stop it, or set SANDBOX_STATE to another folder."
            ) from None
        yield


def _start(sandbox: Sandbox, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    options, parts = sandbox.options, sandbox.parts
    say(f"starting in {options.state} ...")
    archive, s3, prefect = [parts.start(command) for command in servers(options)]

    parts.wait_until_healthy(archive, START_S)
    say(f"archive stand-in: {options.archive_url} after {archive.age_s():.1f} s")
    parts.wait_until_healthy(s3, START_S)
    _wait_for_bucket(options, parts, s3)
    say(f"S3 endpoint: {options.s3_url} after {s3.age_s():.1f} s")
    parts.wait_until_healthy(prefect, START_S)
    say(f"Prefect server: {options.prefect_url} after {prefect.age_s():.1f} s")

    sandbox.orchestrator.clear_leftovers()
    parts.run(_deploy(), DEPLOY_S)
    parts.start(_worker())
    say(f"deployed and ready after {time.monotonic() - began:.1f} s")


def servers(options: SandboxOptions) -> list[Command]:
    """How the archive stand-in, the S3 endpoint and the Prefect server are started, in this order."""
    archive = ("--port", str(options.archive_port), "--state", str(options.state / "archive"))
    s3 = ("--port", str(options.s3_port), "--state", str(options.state / "s3"))
    return [
        Command(
            "archive stand-in",
            "infra.sandbox.archive",
            (*archive, "--size", options.size),
            options.archive_url,
        ),
        Command(
            "S3 endpoint",
            "infra.sandbox.swift",
            (*s3, "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY),
            options.s3_url,
        ),
        Command(
            "Prefect server",
            "prefect",
            ("server", "start", "--port", str(options.prefect_port)),
            f"{options.prefect_url}/api/health",
        ),
    ]


def _worker() -> Command:
    return Command(
        "worker", "prefect", ("worker", "start", "--pool", WORK_POOL, "--type", "process", "--name", "sandbox")
    )


def _deploy() -> Command:
    return Command("deployment", "onc_mirror.cli.main", ("deploy",))


def _wait_for_bucket(options: SandboxOptions, parts: Parts, s3: Part) -> None:
    """Wait until the endpoint keeps bytes: its proxy answers before the storage behind it does."""
    bucket = SandboxBucket(options.s3_url, BUCKET, access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    while True:
        try:
            bucket.prepare()
        except BucketError as error:
            parts.check_alive()
            if s3.age_s() > START_S:
                raise PartError(f"{error}\n{s3.tail()}") from error
            time.sleep(POLL_S)
        else:
            return
