"""A run that is suspended past its lease, as by a paused machine, does no harm to what another run did meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from infra.sandbox.archive.faults import Kind
from tests.support.mirrors import DEVICE, NOON, VICTIM
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.mirrors import Bench

LEASE = timedelta(seconds=1)
COMMAND = [sys.executable, "-m", "onc_mirror.cli.main", "mirror", "--json", "-d", DEVICE]
WINDOW = ["--since", "2022-05-02T10:30Z", "--until", "2022-05-02T12:30Z"]


def environment(mirror: Bench) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("ONC_", "AWS_"))} | {
        "ONC_TOKEN": mirror.archive.token,
        "ONC_MIRROR_ARCHIVE_URL": str(mirror.settings.archive_url),
        "ONC_MIRROR_STORE_URL": mirror.settings.store_url,
        "ONC_MIRROR_STATE_DIR": str(mirror.settings.state_dir),
        "ONC_MIRROR_LEDGER_URL": mirror.settings.ledger,
        "ONC_MIRROR_LEASE": f"PT{LEASE.seconds}S",
        "ONC_MIRROR_CONCURRENCY": "1",
        "ONC_MIRROR_STALL_TIMEOUT_S": "100",
    }


def downloads(mirror: Bench) -> Counter[str | None]:
    return Counter(request.filename for request in mirror.archive.requests_for("download"))


def test_a_run_that_was_suspended_leaves_a_newer_version_alone(lone_mirror: Bench) -> None:
    mirror = lone_mirror
    mirror.settings = mirror.settings.model_copy(update={"lease": LEASE})
    number = mirror.archive.fault(Kind.SLOW, filename=VICTIM, endpoint="download", bytes_per_second=20_000)
    with subprocess.Popen(
        [*COMMAND, *WINDOW], env=environment(mirror), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as suspended:
        wait_until(lambda: downloads(mirror)[VICTIM] == 1, timeout_s=60)
        suspended.send_signal(signal.SIGSTOP)
        stopped_at = datetime.now(UTC)
        mirror.archive.faults.remove(number)
        old = mirror.archive.true_sha256(VICTIM)
        mirror.archive.fault(Kind.RE_ARCHIVED, filename=VICTIM, at=NOON - timedelta(minutes=1))
        wait_until(lambda: datetime.now(UTC) > stopped_at + 2 * LEASE)
        mirror.now = datetime.now(UTC)

        other = mirror.run(devices=(DEVICE,), since=NOON - timedelta(hours=2), until=NOON)
        suspended.send_signal(signal.SIGCONT)
        said, complaints = suspended.communicate(timeout=120)

    assert (other.failed, other.held, other.quarantined) == (0, 0, 0), other.errors
    report: dict[str, Any] = json.loads(said)
    ends = {file["filename"]: (file["decision"], file["reason"]) for file in report["files"]}
    assert ends[VICTIM] == ("held", "claimed-elsewhere"), complaints
    assert {end for end in ends.values() if end[0] != "mirrored"} == {("held", "claimed-elsewhere")}
    assert downloads(mirror) == Counter(dict.fromkeys(ends, 1)) + Counter({VICTIM: 1})
    new = mirror.archive.true_sha256(VICTIM)
    assert old != new
    assert [sha256 for key, sha256 in mirror.objects("raw/").items() if VICTIM in key] == [new]
    assert old not in mirror.objects().values()
    after = mirror.run(devices=(DEVICE,), since=NOON - timedelta(hours=2), until=NOON)
    assert (after.mirrored, after.already) == (0, 10)
    mirror.assert_promises_hold(after)


def test_a_run_that_was_suspended_and_missed_by_nobody_goes_on(lone_mirror: Bench) -> None:
    mirror = lone_mirror
    mirror.archive.fault(Kind.SLOW, filename=VICTIM, endpoint="download", bytes_per_second=20_000)
    with subprocess.Popen(
        [*COMMAND, *WINDOW], env=environment(mirror), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as suspended:
        wait_until(lambda: downloads(mirror)[VICTIM] == 1, timeout_s=60)
        suspended.send_signal(signal.SIGSTOP)
        stopped_at = datetime.now(UTC)
        wait_until(lambda: datetime.now(UTC) > stopped_at + 2 * LEASE)
        suspended.send_signal(signal.SIGCONT)
        said, _ = suspended.communicate(timeout=120)

    report: dict[str, Any] = json.loads(said)
    assert (report["mirrored"], report["held"]) == (10, 0), report["errors"]
