"""The archive stand-in and Swift, each in processes of its own, for the time of a benchmark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import boto3
import psutil

from infra.sandbox.archive.config import DEFAULT_TOKEN
from infra.sandbox.buckets import SandboxBucket
from infra.sandbox.swift.servers import SwiftServers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from benchmarks.workload import Workload

ROOT = Path(__file__).resolve().parents[1]

_ACCESS_KEY = "benchmark"
_SECRET_KEY = "benchmark-secret"  # noqa: S105 - the store lives as long as the benchmark
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers are.

    Attributes:
        archive_url: Base URL of the stand-in.
        s3_url: The S3 endpoint; None when objects go into a folder.
        folder: For state that lives as long as the servers.
        processes: All server processes.
    """

    archive_url: str
    s3_url: str | None
    folder: Path
    processes: tuple[psutil.Process, ...]

    @property
    def token(self) -> str:
        """The archive token."""
        return DEFAULT_TOKEN

    def create_store(self) -> str:
        """Create an empty bucket, or an empty folder, and return its store URL."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        if self.s3_url is None:
            path = self.folder / name
            path.mkdir()
            return path.as_uri()
        SandboxBucket(self.s3_url, name, access_key=_ACCESS_KEY, secret_key=_SECRET_KEY).prepare()
        return f"s3://{name}"

    def environment(self) -> dict[str, str]:
        """Return what a contender's environment holds, whichever it is."""
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        store = {
            "AWS_ENDPOINT_URL": self.s3_url or "",
            "AWS_ACCESS_KEY_ID": _ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        return inherited | store | {"ONC_TOKEN": self.token, "ONC_MIRROR_ARCHIVE_URL": self.archive_url}

    def cpu_s(self) -> float:
        """Return the CPU seconds that the servers have used so far."""
        return sum(_cpu_s(process) for process in self.processes)

    def download_url(self, filename: str) -> str:
        """Return where a file is downloaded from, with the token."""
        query = urlencode({"filename": filename, "token": self.token})
        return f"{self.archive_url}api/archivefile/download?{query}"

    def rows(self, work: Workload) -> list[dict[str, Any]]:
        """Return the archive's rows of a workload; the stand-in makes the content at the latest now."""
        query = urlencode(
            {
                "deviceCode": work.device,
                "dateArchivedFrom": work.since_text,
                "dateArchivedTo": work.until_text,
                "returnOptions": "all",
                "token": self.token,
            }
        )
        files: list[dict[str, Any]] = _ask(f"{self.archive_url}api/archivefile/device?{query}")["files"]
        return [row for row in files if row["dataProductCode"] == work.product]

    def files_of_days(self, device: str, product: str, since: date, until: date) -> list[str]:
        """Return the HDF5 files of a product whose data begin on the days from `since` up to, not on, `until`."""
        query = urlencode(
            {"deviceCode": device, "dateFrom": f"{since}T00:00:00.000Z", "dateTo": f"{until}T00:00:00.000Z"}
            | {"fileExtension": "hdf5", "returnOptions": "all", "token": self.token}
        )
        rows: list[dict[str, Any]] = _ask(f"{self.archive_url}api/archivefile/device?{query}")["files"]
        return [
            row["filename"]
            for row in rows
            if row["dataProductCode"] == product and since.isoformat() <= row["dateFrom"] < until.isoformat()
        ]

    def keys(self, store_url: str) -> list[str]:
        """Return the keys of all objects in a bucket that `create_store` has made."""
        variables = self.environment()
        client = boto3.client(
            "s3",
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            aws_access_key_id=_ACCESS_KEY,
            aws_secret_access_key=_SECRET_KEY,
            region_name=variables["AWS_DEFAULT_REGION"],
        )
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=store_url.removeprefix("s3://"))
        return [one["Key"] for page in pages for one in page.get("Contents", ())]

    def be_far(self, seconds: float, bytes_per_s: int) -> None:
        """Let the archive wait before each answer, and each of its connections carry so much."""
        self.delay_answers(seconds)
        slow = {"kind": "slow", "bytes_per_second": bytes_per_s, "endpoint": "download"}
        _ask(f"{self.archive_url}_sandbox/faults", method="POST", body=slow)

    def be_near(self) -> None:
        """Have the archive answer as fast as it can."""
        self.delay_answers(0)

    def requests(self) -> list[dict[str, Any]]:
        """Return what the stand-in has served since `forget_requests`, oldest first."""
        served: list[dict[str, Any]] = _ask(f"{self.archive_url}_sandbox/requests")
        return served

    def delay_answers(self, seconds: float) -> None:
        """Let the archive wait before each answer, as one far away and busy does; 0 ends that."""
        _ask(f"{self.archive_url}_sandbox/faults", method="DELETE")
        if seconds:
            _ask(f"{self.archive_url}_sandbox/faults", method="POST", body={"kind": "latency", "seconds": seconds})

    def forget_requests(self) -> None:
        """Empty the stand-in's log of requests."""
        _ask(f"{self.archive_url}_sandbox/requests", method="DELETE")


@contextmanager
def running_servers(folder: Path, sizes: Mapping[str, int], *, s3: bool = True) -> Iterator[Servers]:
    """Run the stand-in and, with `s3`, Swift until the context ends.

    Args:
        folder: Empty, on the disk that the store shall use.
        sizes: Bytes of every HDF5 file by data product code; other products have tiny ones.
        s3: Whether there is an S3 endpoint.
    """
    others = set(psutil.Process().children(recursive=True))
    with ExitStack() as parts:
        s3_url = None
        if s3:
            swift = SwiftServers(folder / "swift", 0, access_key=_ACCESS_KEY, secret_key=_SECRET_KEY)
            s3_url = parts.enter_context(swift).url
        archive_url = parts.enter_context(_running_archive(folder / "archive", sizes))
        # Not those that only started a server, and are about to go.
        processes = tuple(
            child for child in psutil.Process().children(recursive=True) if child not in others and child.is_running()
        )
        yield Servers(archive_url, s3_url, folder, processes)


def _cpu_s(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:  # a helper of a server's start that was seen in passing
        return 0.0
    return float(used.user + used.system)


@contextmanager
def _running_archive(state: Path, sizes: Mapping[str, int]) -> Iterator[str]:
    size_options = [option for code, size in sizes.items() for option in ("--size-of", f"{code}={size}")]
    command = [sys.executable, "-m", "infra.sandbox.archive", "--port", "0", "--state", str(state), *size_options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as archive:
        try:
            url = archive.stdout.readline().strip() if archive.stdout is not None else ""
            if not url:
                raise RuntimeError("The archive stand-in did not start.")
            yield url
        finally:
            archive.terminate()


def _ask(url: str, *, method: str = "GET", body: Any = None) -> Any:
    # No proxy of the environment stands between us and the loopback address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method=method)  # noqa: S310 - loopback
    with opener.open(request, timeout=600) as answer:
        return json.load(answer)
