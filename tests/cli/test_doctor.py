"""`onc-mirror doctor` finds what is planted and says how to mend it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from onc_mirror.browsing import device_statuses
from onc_mirror.devices import choose_devices, load_device_table
from onc_mirror.doctor import examine
from onc_mirror.mirror import open_archive
from onc_mirror.settings import load_settings
from tests.support.faulty_s3 import FaultyS3, faulty_s3
from tests.support.raw_server import answer, raw_server, unused_url

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.support.archive import RunningArchive
    from tests.support.console import Answer, Console
    from tests.support.raw_server import Request
    from tests.support.stores import Endpoint

LIDAR = "TUMLIDAR001"
TAKEN_OUT = "TUMSTANDARDMODULE003"
TAKEN_OUT_AT = datetime(2021, 3, 31, tzinfo=UTC)


@pytest.fixture
def console(console: Console) -> Console:
    """A mirror of two devices."""
    table = console.folder / "devices.toml"
    table.write_text(f'[[device]]\ncode = "{LIDAR}"\n[[device]]\ncode = "TUMSTANDARDMODULE001"\n', encoding="utf-8")
    console.environment["ONC_MIRROR_DEVICES_FILE"] = str(table)
    return console


def test_nothing_is_wrong_with_a_good_set_up_and_nothing_is_left_of_the_trial(console: Console) -> None:
    answer = console.run("doctor")

    lines = answer.out.splitlines()
    assert (answer.code, answer.err, lines[-1]) == (0, "", "Nothing is wrong.")
    names = [line.removeprefix("ok   ").partition(": ")[0] for line in lines[:-1]]
    assert names == [
        "archive",
        "clock",
        "token",
        "devices",
        f"device {LIDAR}",
        "device TUMSTANDARDMODULE001",
        "bucket",
        *(f"bucket {step}" for step in ("write", "read", "list", "copy", "parts", "uploads", "abort", "delete")),
        "ledger",
        "ledger disk",
        "scratch disk",
        "validation",
    ]
    assert not [path for path in (console.folder / "bucket").rglob("*") if path.is_file()]
    assert console.scratch == []


@pytest.mark.parametrize(
    ("variables", "name", "told"),
    [
        ({"ONC_TOKEN": "wr0ng-70c3n-of-somebody"}, "token", "set ONC_TOKEN"),
        ({"ONC_MIRROR_ARCHIVE_URL": "dead"}, "archive", "check the network and ONC_MIRROR_ARCHIVE_URL"),
        ({"ONC_MIRROR_DEVICES_FILE": "/nowhere.toml"}, "device table", "/nowhere.toml cannot be read"),
        ({"ONC_MIRROR_STORE_URL": "file:///nowhere"}, "bucket", "create or mount it"),
        ({"ONC_MIRROR_LEDGER_URL": "sqlite:////proc/none/ledger.db"}, "ledger", "/proc/none/ledger.db"),
        ({"ONC_MIRROR_SCRATCH_DIR": "/proc/none"}, "scratch", "must be a writable folder"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_planted_fault_is_the_one_that_is_found(
    in_process: Callable[..., Answer], variables: dict[str, str], name: str, told: str
) -> None:
    variables = {key: unused_url() if value == "dead" else value for key, value in variables.items()}

    answer = in_process("doctor", "--json", **variables)

    (bad,) = [finding for finding in answer.json if not finding["ok"]]
    assert (answer.code, answer.err) == (2 if bad["wrong_setting"] else 1, "")
    assert bad["wrong_setting"] == (name in {"device table", "ledger", "scratch"})
    assert bad["name"] == name
    assert told in bad["detail"] + bad["remedy"]
    assert len(answer.json) > 5


def test_a_device_in_trouble_is_named(in_process: Callable[..., Answer], archive: RunningArchive) -> None:
    archive.fault(Kind.SERVER_ERROR, device=LIDAR, endpoint="device")

    answer = in_process("doctor")

    (bad,) = [line for line in answer.out.splitlines() if line.startswith("BAD")]
    assert answer.code == 1
    assert bad.startswith(f"BAD  device {LIDAR}: ")
    assert answer.out.endswith("1 of 19 checks are bad.\n")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wr0ng-secret"}, "does not accept the credentials; check AWS_ACCESS_KEY_ID and"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "does not accept the credentials; check AWS_ACCESS_KEY_ID and"),
        ({"AWS_SECRET_ACCESS_KEY": None}, "needs both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ({"ONC_MIRROR_STORE_URL": "s3://no-such-bucket"}, "has no such bucket; create it, or check ONC_MIRROR_STORE"),
        ({"AWS_ENDPOINT_URL": "dead"}, "cannot be reached; check AWS_ENDPOINT_URL"),
    ],
    ids=["secret", "key", "no secret", "bucket", "endpoint"],
)
def test_what_is_wrong_with_a_bucket_is_told_once_with_its_name_and_endpoint(
    in_process: Callable[..., Answer], swift: Endpoint, wrong: dict[str, str | None], told: str
) -> None:
    dead = unused_url().rstrip("/")
    variables = {
        "ONC_MIRROR_STORE_URL": f"s3://{swift.create_bucket()}",
        "AWS_ENDPOINT_URL": swift.url,
        "AWS_ACCESS_KEY_ID": swift.access_key,
        "AWS_SECRET_ACCESS_KEY": swift.secret_key,
        **{name: dead if value == "dead" else value for name, value in wrong.items()},
    }

    answer = in_process("doctor", **variables)

    (bad,) = [line for line in answer.out.splitlines() if not line.startswith("ok ")][:-1]
    bucket = str(variables["ONC_MIRROR_STORE_URL"]).removeprefix("s3://")
    assert answer.code == 1
    assert bad.startswith(f"BAD  bucket: The store {told}")
    assert f"(bucket {bucket} at {variables['AWS_ENDPOINT_URL']}" in bad
    assert "s3:" not in bad.replace("s3://", "")
    assert not [secret for secret in ("wr0ng-secret", swift.secret_key) if secret in answer.out]


def test_a_right_that_is_missing_is_named(in_process: Callable[..., Answer]) -> None:
    body = b"<Error><Code>AccessDenied</Code></Error>"
    variables = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "c4nary-secret-key"}
    with faulty_s3(FaultyS3(status=403, body=body, fails=("PUT",))) as endpoint:
        answer = in_process("doctor", ONC_MIRROR_STORE_URL="s3://bucket", AWS_ENDPOINT_URL=endpoint.url, **variables)

    (bad,) = [line for line in answer.out.splitlines() if line.startswith("BAD")]
    assert answer.code == 1
    assert bad.startswith("BAD  bucket write: The store denies this to these credentials; grant them")
    assert f"(bucket bucket at {endpoint.url}; AccessDenied)" in bad
    assert bad.endswith("Missing is s3:PutObject.")
    assert "ok   bucket: s3://bucket is there and may be listed.\n" in answer.out
    assert "c4nary" not in answer.out


@pytest.mark.parametrize(("days", "asked"), [(3, True), (8, False)])
def test_the_devices_of_a_run_are_looked_at_and_no_others(
    console: Console, monkeypatch: pytest.MonkeyPatch, days: int, *, asked: bool
) -> None:
    for name, value in console.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ONC_MIRROR_DEVICES_FILE")
    settings = load_settings()
    now = TAKEN_OUT_AT + timedelta(days=days)

    names = {finding.name.removeprefix("device ") for finding in examine(settings, now=now)}

    with open_archive(settings) as archive:
        of_a_run = {device.code for device in choose_devices(archive, load_device_table(), now=now)}
        (status,) = device_statuses(archive, load_device_table(), [TAKEN_OUT], now=now)
    assert (TAKEN_OUT in names) == asked
    assert names & {device.code for device in load_device_table()} == of_a_run
    assert (status.deployed, status.asked_until is not None) == (False, asked)


def test_a_ledger_that_is_read_only_is_found(console: Console, in_process: Callable[..., Answer]) -> None:
    in_process("doctor")
    path = console.state / "ledger.db"

    answer = in_process("doctor", ONC_MIRROR_LEDGER_URL=f"sqlite:///file:{path}?mode=ro&uri=true")

    (bad,) = [line for line in answer.out.splitlines() if line.startswith("BAD")]
    assert bad.startswith("BAD  ledger: ")
    assert "cannot be written" in bad


@pytest.mark.parametrize(("minutes", "ok"), [(0, True), (-10, False), (10, False)])
def test_a_clock_that_is_wrong_is_found(
    console: Console, monkeypatch: pytest.MonkeyPatch, minutes: int, *, ok: bool
) -> None:
    for name, value in console.environment.items():
        monkeypatch.setenv(name, value)

    def tell_its_time(request: Request, connection: socket.socket) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
        body = b'{"files": []}' if "archivefile" in request.path else b"[]"
        connection.sendall(answer(body, headers=(f"Date: {date}",)))

    with raw_server(tell_its_time) as server:
        findings = list(examine(load_settings(archive_url=server.url), now=datetime.now(UTC)))

    (finding,) = [finding for finding in findings if finding.name == "clock"]

    assert finding.ok == ok
    assert bool(finding.remedy) == (not ok)
