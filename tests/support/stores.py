"""Stores for tests: real servers on this machine, and files to publish in them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from infra.sandbox.ports import pick_free
from infra.sandbox.swift.servers import SwiftServers
from onc_mirror.model import Fetched
from onc_mirror.settings import MirrorSettings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

KNOWN = ("file", "swift", "ceph")
STORES = os.environ.get("ONC_MIRROR_TEST_STORES", "file,swift").split(",")
S3_STORES = [name for name in STORES if name != "file"]

if unknown := set(STORES) - set(KNOWN):
    raise pytest.UsageError(f"ONC_MIRROR_TEST_STORES knows {', '.join(KNOWN)}, not {', '.join(unknown)}.")

ACCESS_KEY = "sandbox"
SECRET_KEY = "c4nary-secret-key"

MIB = 2**20
# The least that S3 takes, so that files in parts can be small.
PART_BYTES = 5 * MIB

_ROOT = Path(__file__).parents[2]
_CEPH = _ROOT / "infra" / "sandbox" / "ceph.sh"


@dataclass(frozen=True)
class Endpoint:
    """A running S3 endpoint.

    Attributes:
        url: Where.
        access_key: Access key of a user who may do everything.
        secret_key: Its secret.
        cluster: Folder of the Ceph cluster behind it; None when it is none, or not ours.
    """

    url: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    cluster: Path | None = None

    def other_user(self, name: str) -> Endpoint:
        """The same for a new user, who may do nothing with the buckets of others. Skips where nobody can make one."""
        if self.cluster is None:
            pytest.skip("Only in a Ceph cluster of our own can a user be made.")
        keys = {"CEPH_ACCESS_KEY": f"{name}-key", "CEPH_SECRET_KEY": f"c4nary-{name}"}
        subprocess.run([str(_CEPH), "user", str(self.cluster), name], env=os.environ | keys, check=True)
        return Endpoint(self.url, keys["CEPH_ACCESS_KEY"], keys["CEPH_SECRET_KEY"])

    def create_bucket(self) -> str:
        """Create a bucket and return its name."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        self.client.create_bucket(Bucket=name)
        return name

    @cached_property
    def client(self) -> Any:
        """A second opinion on what is in the store."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=16),
        )

    def use(self, patch: pytest.MonkeyPatch, **overrides: str) -> None:
        """Set the variables that an operator would set, and none of the developer's own."""
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.delenv(name, raising=False)
        variables = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }
        for name, value in (variables | overrides).items():
            patch.setenv(name, value)


@contextmanager
def running_swift(state: Path, port: int = 0) -> Iterator[Endpoint]:
    """Run OpenStack Swift with its data in `state`."""
    with SwiftServers(state, port, access_key=ACCESS_KEY, secret_key=SECRET_KEY) as servers:
        yield Endpoint(servers.url)


@contextmanager
def running_ceph(state: Path) -> Iterator[Endpoint]:
    """Run a Ceph RADOS Gateway with its data in `state`, or use the one that the environment names."""
    if given := os.environ.get("ONC_MIRROR_TEST_CEPH_ENDPOINT"):
        yield Endpoint(
            given,
            os.environ.get("ONC_MIRROR_TEST_CEPH_ACCESS_KEY", "sandbox"),
            os.environ.get("ONC_MIRROR_TEST_CEPH_SECRET_KEY", "sandbox-secret-key"),
        )
        return
    port = pick_free(3)
    # The guard stops the daemons even when this process is killed.
    command = [
        sys.executable,
        "-m",
        "infra.sandbox.guard",
        str(os.getpid()),
        str(_CEPH),
        "run",
        str(state),
        str(port),
    ]
    keys = {"CEPH_ACCESS_KEY": ACCESS_KEY, "CEPH_SECRET_KEY": SECRET_KEY}
    with subprocess.Popen(command, cwd=_ROOT, env=os.environ | keys, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError(f"Ceph does not start; see above, and the logs in {state}.")
            yield Endpoint(f"http://127.0.0.1:{port}", cluster=state)
        finally:
            process.terminate()


def store_settings(url: str, **overrides: Any) -> MirrorSettings:
    """Settings of an impatient mirror with the store `url`."""
    chosen: dict[str, Any] = {
        "token": "c4nary-token",
        "multipart_bytes": PART_BYTES,
        "connect_timeout_s": 5,
        "stall_timeout_s": 20,
        "quick_retries": 1,
    }
    return load_settings(MirrorSettings, store_url=url, **chosen | overrides)


def fetched(folder: Path, body: bytes) -> Fetched:
    """Write `body` to scratch as a complete download."""
    path = folder / f"{uuid.uuid4().hex}.hdf5"
    path.write_bytes(body)
    return Fetched(
        path,
        size_bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        md5=hashlib.md5(body, usedforsecurity=False).hexdigest(),
    )


def many_bytes(size: int, seed: int = 0) -> bytes:
    """Bytes that do not repeat within a part, the same for the same seed."""
    return hashlib.shake_128(seed.to_bytes(4, "big")).digest(size)
