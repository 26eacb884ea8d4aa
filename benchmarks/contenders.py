"""The ways to bring archive files into a bucket that are compared, each a command with its environment."""

from __future__ import annotations

import csv
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import CommandFailedError, Cost, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.servers import Servers
    from benchmarks.workload import Workload

_SCRIPTS = Path(sys.executable).parent
_ROOT = Path(__file__).resolve().parents[1]
_RCLONE_REMOTE = "store"


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one contender.

    Attributes:
        servers: Where from and where to.
        work: What.
        rows: The archive's rows of it.
        store_url: An empty bucket.
        folder: An empty folder for whatever it needs.
        concurrency: Transfers in flight, for those that can.
    """

    servers: Servers
    work: Workload
    rows: Sequence[Mapping[str, Any]]
    store_url: str
    folder: Path
    concurrency: int

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self.store_url.removeprefix("s3://")


@dataclass(frozen=True, slots=True)
class Contender:
    """One way.

    Attributes:
        name: For tables.
        note: What it does not do.
        run: Does a job and says what it took.
    """

    name: str
    note: str
    run: Callable[[Job], Cost]


def mirror(job: Job, **settings: str) -> Cost:
    """Run `onc-mirror mirror`, with a new ledger unless the job's folder has one."""
    command = [
        str(_SCRIPTS / "onc-mirror"),
        "mirror",
        *("--device", job.work.device, "--product", job.work.product, "--extension", "hdf5"),
        *("--since", job.work.since_text, "--until", job.work.until_text, "--json"),
    ]
    return measure(command, mirror_environment(job, **settings))


def mirror_environment(job: Job, **settings: str) -> dict[str, str]:
    """Return the environment of an `onc-mirror` that keeps its state in the job's folder."""
    own = {
        "ONC_MIRROR_STORE_URL": job.store_url,
        "ONC_MIRROR_STATE_DIR": str(job.folder),
        "ONC_MIRROR_CONCURRENCY": str(job.concurrency),
    }
    return job.servers.environment() | own | settings


def _plain_client(job: Job) -> Cost:
    window = (job.work.since_text, job.work.until_text)
    command = [
        sys.executable,
        "-m",
        "benchmarks.plain_client",
        job.work.device,
        job.work.product,
        *window,
        job.bucket,
    ]
    return measure(command, job.servers.environment() | {"PYTHONPATH": str(_ROOT)})


def _rclone(job: Job) -> Cost:
    urls = job.folder / "urls.csv"
    with urls.open("w", newline="", encoding="utf-8") as lines:
        rows = ((job.servers.download_url(row["filename"]), row["filename"]) for row in job.rows)
        csv.writer(lines).writerows(rows)
    inherited = job.servers.environment()
    remote = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENDPOINT": inherited["AWS_ENDPOINT_URL"],
        "ACCESS_KEY_ID": inherited["AWS_ACCESS_KEY_ID"],
        "SECRET_ACCESS_KEY": inherited["AWS_SECRET_ACCESS_KEY"],
        "REGION": "us-east-1",
        "FORCE_PATH_STYLE": "true",
    }
    prefix = f"RCLONE_CONFIG_{_RCLONE_REMOTE.upper()}_"
    variables = {f"{prefix}{name}": value for name, value in remote.items()} | {"RCLONE_CONFIG": os.devnull}
    target = f"{_RCLONE_REMOTE}:{job.bucket}"
    command = [str(_SCRIPTS / "rclone"), "copyurl", "--urls", str(urls), target, "--transfers", str(job.concurrency)]
    return measure(command, inherited | variables)


BASELINE = Contender(
    "onc + boto3", "one file at a time; no size, hash or HDF5 check, no record of what was done", _plain_client
)
CONTENDERS = (
    BASELINE,
    Contender(
        "rclone copyurl",
        "is given the list of URLs, does not ask the archive; no HDF5 check, no record of what was done",
        _rclone,
    ),
    Contender("onc-mirror", "every chunk of every file decoded before it is published", mirror),
    Contender("onc-mirror, grade size", "as rclone no HDF5 check", lambda job: mirror(job, ONC_MIRROR_GRADE="size")),
)


def check_report(cost: Cost, *, mirrored: int, already: int) -> None:
    """Make sure that a mirror did what it is measured for.

    Raises:
        CommandFailedError: Its report says something else.
    """
    report = json.loads(cost.stdout)
    if (report["mirrored"], report["already"]) != (mirrored, already):
        raise CommandFailedError(f"{mirrored} files should be mirrored and {already} be there already: {cost.stdout}")
