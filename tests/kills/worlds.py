"""A mirror in the middle of its life, with something of everything to do, as often as it is wanted.

An hour was mirrored. Since then the archive has taken in an hour more, with a file in several parts, one that is
broken, one that it does not hand out yet, one whose name cannot be a key and two that nobody wants; and it has
replaced two of the mirrored files, one of which belongs to another day now. What the mirror had by then, bucket and
ledger, is copied for every run that is to be killed.
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.sandbox.archive.config import ArchiveConfig
from infra.sandbox.archive.faults import Kind
from onc_mirror.settings import MirrorSettings, load_settings
from tests.support.archive import running_archive
from tests.support.stores import MIB, PART_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.archive import RunningArchive
    from tests.support.postgresql import PostgresqlServer
    from tests.support.stores import Endpoint

DEVICES = ("TUMMINISPECTROMETER001", "TUMSTANDARDMODULE001")
MINI, MODULE = DEVICES
FLOWS = {
    "mirror": ("mirror", "-d", MINI, "-d", MODULE, "--json"),
    "backfill": ("backfill", "--since", "2022-05-01", "--until", "2022-05-03", "-d", MINI, "-d", MODULE, "--json"),
}
TOKEN = "k1ll-0c4na7y0"

FIRST_DATA = datetime(2022, 5, 2, 10, tzinfo=UTC)
FIRST_HOUR = datetime(2022, 5, 2, 11, 30, tzinfo=UTC)
NEXT_HOUR = datetime(2022, 5, 2, 12, 30, tzinfo=UTC)
OVERLAP = timedelta(minutes=20)
SINCE = FIRST_HOUR - timedelta(hours=1) - OVERLAP
LATER = timedelta(minutes=10)
"""From a kill to the plain restart: more than a lease, and nothing new is in the archive meanwhile."""

BROKEN = f"{MINI}_20220502T110000.000Z-SDAQ-MINISPEC.hdf5"
UNREADY = f"{MINI}_20220502T110000.000Z-SDAQ-MODULE.hdf5"
REPLACED = f"{MINI}_20220502T100000.000Z-SDAQ-MODULE.hdf5"
MOVED = f"{MINI}_20220502T100000.000Z-SDAQ-MINISPEC.hdf5"
BAD_NAME = {"filename": "../passwd.hdf5", "deviceCode": MINI, "dateFrom": "2022-05-02T11:00:00.000Z", "fileSize": 9}

# Each world's validation processes are told from all others by the limit on their memory.
_memory = itertools.count(2**30 + os.getpid() % 2**16 * 2**12, 4096)


@dataclass(slots=True)
class World:
    """A bucket, a ledger and a state folder of their own, and the archive that they are a mirror of.

    Attributes:
        archive: The stand-in; shared.
        folder: Of everything on disk.
        variables: What an operator sets.
        memory_bytes: The limit on the memory of its validation processes, which no other world has.
        ahead_s: Seconds by which its clocks, the archive's and the mirror's, are ahead of the machine's.
        clearing: What removes it.
    """

    archive: RunningArchive
    folder: Path
    variables: dict[str, str]
    memory_bytes: int = field(default_factory=lambda: next(_memory))
    ahead_s: float = 0.0
    clearing: list[Callable[[], None]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """All variables of a run."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "ONC_TOKEN": TOKEN,
            "ONC_MIRROR_ARCHIVE_URL": self.archive.url,
            "ONC_MIRROR_STATE_DIR": str(self.folder / "state"),
            "ONC_MIRROR_OVERLAP": f"PT{OVERLAP.seconds // 60}M",
            "ONC_MIRROR_QUICK_RETRIES": "0",
            "ONC_MIRROR_RETRY_DELAYS_S": "0.05",
            "ONC_MIRROR_BACKFILL_REQUESTS_PER_S": "1000",
            "ONC_MIRROR_MULTIPART_BYTES": str(PART_BYTES),
            "ONC_MIRROR_VALIDATION_MEMORY": str(self.memory_bytes),
            **self.variables,
        }

    @property
    def folders(self) -> dict[str, str]:
        """Where what is done to files is an effect, and what it is called."""
        named = {str(self.folder / "state" / "scratch"): "scratch", str(self.folder / "bucket"): "bucket"}
        return {os.path.realpath(path): name for path, name in named.items()}

    @property
    def settings(self) -> MirrorSettings:
        """What the mirror makes of its variables."""
        names = {"ONC_TOKEN": "token", "AWS_ENDPOINT_URL": "aws_endpoint_url"}
        given: dict[str, Any] = {
            names.get(name, name.removeprefix("ONC_MIRROR_").lower()): value
            for name, value in self.environment.items()
            if name in names or name.startswith("ONC_MIRROR_")
        }
        return load_settings(MirrorSettings, **given)

    @contextmanager
    def credentials(self) -> Iterator[None]:
        """Have what opens its bucket from here find the keys to it."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.variables.items():
                if name.startswith("AWS_"):
                    patch.setenv(name, value)
            yield

    def turn(self, moment: datetime) -> None:
        """Let the clocks of the archive and of the mirror run on from `moment`."""
        self.ahead_s = moment.timestamp() - time.time()
        self.archive.set_clock(moment, running=True)

    def remove(self) -> None:
        """Remove all of it."""
        for clear in reversed(self.clearing):
            clear()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What worlds are made on: servers that run and a folder.

    Attributes:
        archive: The stand-in.
        folder: For the worlds' folders.
        endpoint: An S3 endpoint; None: the bucket is a folder.
        server: A PostgreSQL; None: the ledger is a file.
    """

    archive: RunningArchive
    folder: Path
    endpoint: Endpoint | None = None
    server: PostgresqlServer | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def copy_of(self, model: World | None = None) -> World:
        """Make a world with what is in the bucket and the ledger of another, or with nothing in them."""
        folder = self.folder / f"world-{next(self._numbers)}"
        world = World(self.archive, folder, {})
        if model is None:
            folder.mkdir()
        else:
            shutil.copytree(model.folder, folder)
        self._give_bucket(world, model)
        self._give_ledger(world, model)
        return world

    def _give_bucket(self, world: World, model: World | None) -> None:
        if self.endpoint is None:
            bucket = world.folder / "bucket"
            bucket.mkdir(exist_ok=True)
            world.variables["ONC_MIRROR_STORE_URL"] = bucket.as_uri()
            return
        endpoint, name = self.endpoint, self.endpoint.create_bucket()
        world.clearing.append(lambda: _remove_bucket(endpoint, name))
        world.variables |= {
            "ONC_MIRROR_STORE_URL": f"s3://{name}",
            "AWS_ENDPOINT_URL": endpoint.url,
            "AWS_ACCESS_KEY_ID": endpoint.access_key,
            "AWS_SECRET_ACCESS_KEY": endpoint.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        if model is not None:
            source = model.variables["ONC_MIRROR_STORE_URL"].removeprefix("s3://")
            for key in _keys(endpoint, source):
                endpoint.client.copy_object(Bucket=name, Key=key, CopySource={"Bucket": source, "Key": key})

    def _give_ledger(self, world: World, model: World | None) -> None:
        if self.server is None:
            return
        server = self.server
        template = {} if model is None else {"template": model.variables["ONC_MIRROR_LEDGER_URL"].rpartition("/")[2]}
        name = server.create_database(**template)
        world.clearing.append(lambda: server.drop_database(name))
        world.variables["ONC_MIRROR_LEDGER_URL"] = server.url(name)


@contextmanager
def watched_archive(folder: Path) -> Iterator[RunningArchive]:
    """Run the archive, which has nothing to tell yet."""
    sizes = {"MSSCD": PART_BYTES + MIB}
    config = ArchiveConfig(token=TOKEN, devices=DEVICES, sizes=sizes, data_start=FIRST_DATA)
    with running_archive(folder, config) as archive:
        yield archive


def begin_first_hour(archive: RunningArchive) -> None:
    """Let the archive be without trouble."""
    archive.faults.clear()


def begin_next_hour(archive: RunningArchive, flow: str) -> None:
    """Let something of everything happen in the archive.

    To a backfill no file moves to another day: the stand-in would still list it on the old one.
    """
    begin_first_hour(archive)
    replaced_at = NEXT_HOUR - timedelta(minutes=20)
    archive.fault(Kind.BIT_FLIP, filename=BROKEN)
    archive.fault(Kind.NOT_READY, filename=UNREADY)
    archive.fault(Kind.RE_ARCHIVED, filename=REPLACED, at=replaced_at)
    archive.fault(Kind.RE_ARCHIVED, filename=MOVED, at=replaced_at)
    if flow == "mirror":
        archive.fault(Kind.CHANGED_ROWS, filename=MOVED, changes={"dateFrom": "2022-05-01T23:00:00.000Z"})
    archive.fault(Kind.EXTRA_ROWS, device=MINI, rows=(BAD_NAME,))


def _keys(endpoint: Endpoint, bucket: str) -> list[str]:
    return [found["Key"] for found in endpoint.client.list_objects_v2(Bucket=bucket).get("Contents", ())]


def _remove_bucket(endpoint: Endpoint, bucket: str) -> None:
    for upload in endpoint.client.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
        endpoint.client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for key in _keys(endpoint, bucket):
        endpoint.client.delete_object(Bucket=bucket, Key=key)
    endpoint.client.delete_bucket(Bucket=bucket)
