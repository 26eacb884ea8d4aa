"""What the mirror needs goes away in the middle of a run: nothing is lost, people are told, the next run mends it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from infra.sandbox.swift.servers import SwiftServers
from onc_mirror.errors import BucketMissingError
from onc_mirror.hour import mirror_hour
from onc_mirror.run.gathering import MirrorRequest
from onc_mirror.run.life import begun_run
from onc_mirror.store.body import Slice
from onc_mirror.transfer.batch import NoWatcher
from tests.support.archive import running_archive
from tests.support.disks import remount, small_disk
from tests.support.mirrors import DEVICE, bench
from tests.support.promises import broken_promises, look_around
from tests.support.stores import ACCESS_KEY, SECRET_KEY, STORES, Endpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from onc_mirror.model import Outcome
    from onc_mirror.report.document import RunReport
    from tests.support.archive import RunningArchive
    from tests.support.mirrors import Bench


class AtTheFirstEnd(NoWatcher):
    """Does something when the first file of a run has come to its end."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do: Callable[[], object] | None = do

    def concluded(self, outcome: Outcome) -> None:
        assert outcome.file.filename
        if self._do is not None:
            do, self._do = self._do, None
            do()


def run_through(mirror: Bench, outage: Callable[[], object]) -> RunReport:
    """Mirror an hour in whose middle the outage begins."""
    with mirror.open() as parts:
        return mirror_hour(parts, MirrorRequest(devices=(DEVICE,)), AtTheFirstEnd(outage))


def reasons(report: RunReport) -> set[tuple[str, str]]:
    return {(file.decision.value, file.reason) for file in report.attention}


def assert_recovered(mirror: Bench, kept: frozenset[str] = frozenset()) -> None:
    """The next run, with nobody's help, leaves all as it had been without the outage."""
    following = mirror.run(devices=(DEVICE,))

    assert (following.exit_code, following.errors, following.attention) == (0, (), ())
    assert {state for state, _ in mirror.ledger_states(DEVICE).values()} == {"mirrored", "filtered"}
    assert broken_promises(look_around(mirror.archive, mirror.settings, following), kept=kept) == []


def mirrored_an_hour(mirror: Bench) -> frozenset[str]:
    """Hashes of what the mirror has; an hour later the archive has more."""
    assert mirror.run(devices=(DEVICE,)).mirrored
    kept = frozenset(mirror.objects("raw/").values())
    mirror.turn(mirror.now + timedelta(hours=1))
    return kept


def test_an_archive_that_goes_down_fails_the_files_that_are_left_and_the_next_run_has_them(
    lone_mirror: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mirror, archive = lone_mirror, lone_mirror.archive
    mirror.settings = mirror.settings.model_copy(update={"concurrency": 1, "stall_timeout_s": 30.0})

    report = run_through(mirror, archive.stop)

    port = int(archive.url.rstrip("/").rpartition(":")[2])
    assert (report.exit_code, report.mirrored > 0, report.failed > 0) == (1, True, True)
    assert reasons(report) <= {("failed", "connection-refused"), ("failed", "connection-lost")}
    assert "check the network and ONC_MIRROR_ARCHIVE_URL" in report.attention[-1].detail
    retries = [vars(record)["retry"] for record in caplog.records if record.name == "onc_mirror.retrying"]
    waits = [retry.attempt for retry in retries if retry.concerns_all]
    assert waits in ([2, 3], [3]), "one file waits for the archive, and the others do not"
    with running_archive(tmp_path / "archive-state", port=port) as back:
        mirror.archive = back
        mirror.turn(mirror.now)
        assert_recovered(mirror)


def test_a_token_that_is_revoked_fails_the_files_that_are_left_and_puts_none_on_the_ladder(mirror: Bench) -> None:
    mirror.settings = mirror.settings.model_copy(update={"concurrency": 1, "stall_timeout_s": 30.0})

    report = run_through(mirror, lambda: mirror.archive.fault(Kind.TOKEN_REVOKED))

    assert (report.exit_code, report.mirrored > 0) == (1, True)
    assert reasons(report) == {("failed", "token-rejected")}
    assert all("set ONC_TOKEN" in file.detail for file in report.attention)
    assert mirror.archive.token not in report.to_json()
    mirror.archive.faults.clear()
    assert_recovered(mirror)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[SwiftServers]:
    """A Swift that no other test uses, so that it can be killed."""
    with SwiftServers(tmp_path / "swift", 0, access_key=ACCESS_KEY, secret_key=SECRET_KEY) as running:
        yield running


def test_a_store_that_is_killed_in_the_middle_of_uploads_gets_them_from_the_next_run(
    servers: SwiftServers, archive: RunningArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = Endpoint(servers.url)
    endpoint.use(monkeypatch)
    mirror = bench(archive, tmp_path, store_url=f"s3://{endpoint.create_bucket()}/mirror", stall_timeout_s=30)
    kept = mirrored_an_hour(mirror)
    begun = Slice.__aiter__

    async def killing(body: Slice) -> AsyncIterator[bytes]:
        async for piece in begun(body):
            servers.kill()
            yield piece

    with monkeypatch.context() as patch:
        patch.setattr(Slice, "__aiter__", killing)
        report = mirror.run(devices=(DEVICE,))

    assert (report.exit_code, report.mirrored) == (1, 0)
    assert reasons(report) == {("failed", "store-unavailable")}
    assert all(servers.url in file.detail for file in report.attention)
    (error,) = report.errors
    assert "The report is not in the bucket" in error.detail
    assert "check AWS_ENDPOINT_URL and that it runs" in error.detail
    servers.start()
    assert_recovered(mirror, kept)


def test_a_store_folder_on_a_full_disk_takes_the_rest_when_there_is_room(
    archive: RunningArchive, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "bucket", "200k") as disk:
        mirror = bench(archive, tmp_path, stall_timeout_s=30)

        report = mirror.run(devices=(DEVICE,))

        assert (report.exit_code, report.mirrored > 0, report.failed > 0) == (1, True, True)
        assert reasons(report) == {("failed", "store-unavailable")}
        assert all(f"The folder {disk} has no room left; free some." in file.detail for file in report.attention)
        remount(disk, "size=64m")
        assert_recovered(mirror)


def test_a_store_folder_that_becomes_read_only_gets_the_rest_when_it_is_writable(
    archive: RunningArchive, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "bucket", "64m") as disk:
        mirror = bench(archive, tmp_path, stall_timeout_s=30, concurrency=1)

        report = run_through(mirror, lambda: remount(disk, "ro"))

        assert (report.exit_code, report.mirrored > 0) == (1, True)
        assert reasons(report) == {("failed", "store-forbidden")}
        assert all(f"The folder {disk} is mounted read-only." in file.detail for file in report.attention)
        remount(disk, "rw")
        assert_recovered(mirror)


@pytest.mark.skipif("ceph" not in STORES, reason="only Ceph, of the stores here, has policies")
def test_a_bucket_that_forbids_writing_gets_the_rest_when_it_allows_it(
    bench_in: Callable[..., Bench], ceph: Endpoint
) -> None:
    mirror = bench_in("ceph", stall_timeout_s=30, concurrency=1)
    bucket = mirror.settings.store_url.split("/")[2]
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})

    report = run_through(mirror, lambda: ceph.client.put_bucket_policy(Bucket=bucket, Policy=policy))

    assert (report.exit_code, report.mirrored > 0) == (1, True)
    assert reasons(report) == {("failed", "store-forbidden")}
    assert all("grant them to list, read, write and delete" in file.detail for file in report.attention)
    ceph.client.delete_bucket_policy(Bucket=bucket)
    assert_recovered(mirror)


def test_what_broke_a_run_off_is_told_although_the_ledger_does_not_take_it(
    archive: RunningArchive, tmp_path: Path
) -> None:
    ledger = tmp_path / "state" / "ledger.db"
    mirror = bench(archive, tmp_path, ledger_url=f"sqlite:///{ledger}?timeout=0.1")

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as other:

        def break_off() -> None:
            with mirror.open() as parts, begun_run(parts, "mirror-hour"):
                other.execute("ATTACH ? AS ledger", (str(ledger),))
                other.execute("BEGIN IMMEDIATE")
                other.execute("DELETE FROM ledger.slots")
                raise BucketMissingError("It was emptied.")

        with pytest.raises(BucketMissingError, match=r"It was emptied\."):
            break_off()
