"""What an operator is told when something around the mirror is wrong: one clear line, no traceback, no token."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest

from infra.sandbox.archive.faults import Kind
from tests.support.disks import small_disk
from tests.support.faulty_s3 import FaultyS3, faulty_s3
from tests.support.raw_server import unused_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.support.archive import RunningArchive
    from tests.support.console import Answer, Console

DEVICE = "TUMSTANDARDMODULE001"
ONE_FILE = ("mirror", "-d", DEVICE, "--since", "2022-05-02T11:00", "--until", "PT1H")
ON_S3 = {
    "ONC_MIRROR_STORE_URL": "s3://bucket",
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "c4nary-secret-key",
}


def the_one_line(answer: Answer, code: int) -> str:
    assert (answer.code, answer.out) == (code, "")
    (line,) = [line for line in answer.err.splitlines() if ".life_signs " not in line]
    assert line.startswith("onc-mirror: ")
    return line


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        (("mirror",), {"ONC_TOKEN": None}, "ONC_TOKEN: is not set"),
        (("mirror",), {"ONC_TOKEN": "  "}, "ONC_TOKEN: is not set"),
        (("mirror",), {"ONC_MIRROR_STORE_URL": None}, "ONC_MIRROR_STORE_URL: is not set"),
        (("mirror",), {"ONC_MIRROR_STORE_URL": "bucket"}, "ONC_MIRROR_STORE_URL: must be s3://"),
        (("mirror",), {"ONC_MIRROR_CONCURRENCY": "many"}, "ONC_MIRROR_CONCURRENCY"),
        (("mirror",), {"ONC_MIRROR_LEDGER_URL": "mysql://me:hunter2@host/x"}, "ONC_MIRROR_LEDGER_URL"),
        (("mirror",), {"ONC_MIRROR_SCRATCH_DIR": "/proc/none"}, "ONC_MIRROR_SCRATCH_DIR: /proc/none"),
        (("mirror",), {"ONC_MIRROR_DEVICES_FILE": "/nowhere.toml"}, "ONC_MIRROR_DEVICES_FILE: /nowhere.toml"),
        (("mirror", "--location", "NOWHERE"), {}, "None of these devices is at NOWHERE. They are at"),
        (("mirror", "--category", "NOPE"), {}, "None of these devices is of category NOPE. They are at"),
        (("mirror", "--since", "yesterday"), {}, "--since 'yesterday'"),
        (("mirror", "--since", "P99999999D"), {}, "beyond all times"),
        (("mirror", "--min-size", "2MB", "--max-size", "1MB"), {}, "2000000 bytes or more and 1000000 or less"),
        (("mirror", "--files", "/nowhere.csv"), {}, "/nowhere.csv cannot be read"),
        (("mirror", "--files", __file__), {}, "has no column device_code and filename"),
        (("list", "-d", DEVICE, "--product-name", "nosuch"), {}, "'nosuch' in its name"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple | dict) else "",
)
def test_wrong_settings_and_options_are_one_line_and_exit_code_2(
    in_process: Callable[..., Answer], arguments: tuple[str, ...], variables: dict[str, str | None], told: str
) -> None:
    line = the_one_line(in_process(*arguments, **variables), 2)

    assert told in line
    assert "hunter2" not in line


def test_a_list_and_filters_exclude_each_other(console: Console, in_process: Callable[..., Answer]) -> None:
    path = console.folder / "list.csv"
    path.write_text("device_code,filename\n", encoding="utf-8")

    assert "--files already says" in the_one_line(in_process("mirror", "--files", str(path), "-e", "txt"), 2)


@pytest.mark.parametrize("command", ["mirror", "list"])
def test_a_wrong_token_says_where_to_get_the_right_one(quick_console: Console, command: str) -> None:
    answer = quick_console.run(command, ONC_TOKEN="wr0ng-70c3n-of-somebody")

    assert "set ONC_TOKEN" in the_one_line(answer, 1)
    assert the_one_line(answer, 1).startswith("onc-mirror: The archive does not accept the token.")
    assert "wr0ng-70c3n-of-somebody" not in answer.err


@contextmanager
def deaf_url() -> Iterator[str]:
    """A port that lets connections wait for ever: its queue is full."""
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}/"


@pytest.mark.parametrize(
    ("place", "reason", "told"),
    [
        (lambda: nullcontext(unused_url()), "connection-refused", "127.0.0.1 refuses it at port"),
        (deaf_url, "connect-timeout", "no answer within the connect timeout"),
        (lambda: nullcontext("http://archive.invalid/"), "unknown-host", "the name archive.invalid does not resolve"),
    ],
    ids=["refused", "unanswered", "unknown"],
)
def test_a_dead_archive_is_told_at_once_and_fails_the_run_after_one_ladder(
    console: Console, place: Callable[[], AbstractContextManager[str]], reason: str, told: str
) -> None:
    with place() as url:
        answer = console.run(
            "mirror",
            ONC_MIRROR_ARCHIVE_URL=url,
            ONC_MIRROR_CONNECT_TIMEOUT_S="0.2",
            ONC_MIRROR_RETRY_DELAYS_S="0.05,0.1",
        )

    assert answer.code == 1
    waits = [line.partition(" WARNING ")[2] for line in answer.err.splitlines() if ".life_signs " not in line]
    assert [line.partition(" detail=")[0] for line in waits] == [
        *(
            f"onc_mirror.retrying retry_in_s=0 of='connection to the archive' {attempts} reason={reason}"
            for attempts in ("attempt=2 attempts=3", "attempt=3 attempts=3")
        ),
        "onc_mirror.devices deployed=by-table",
    ]
    assert told in answer.err
    assert told in answer.out
    assert "check the network and ONC_MIRROR_ARCHIVE_URL" in answer.out
    assert f"failed   {reason}" in answer.out
    assert re.search(r"(\d+) of \1 devices not listed", answer.out.splitlines()[-1])


def test_a_program_gets_the_report_of_a_dead_archive_and_nothing_else_on_stdout(quick_console: Console) -> None:
    answer = quick_console.run("mirror", "-d", DEVICE, "--json", ONC_MIRROR_ARCHIVE_URL=unused_url())

    assert answer.code == 1
    assert [error["reason"] for error in answer.json["errors"]] == ["connection-refused"]
    assert DEVICE not in answer.json["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (404, "NoSuchBucket", ("no such bucket", "ONC_MIRROR_STORE_URL")),
        (403, "SignatureDoesNotMatch", ("credentials", "AWS_SECRET_ACCESS_KEY")),
        (403, "AccessDenied", ("denies this to these credentials", "list, read, write and delete")),
    ],
)
def test_what_s3_refuses_names_bucket_endpoint_and_remedy(
    in_process: Callable[..., Answer], status: int, code: str, told: tuple[str, ...]
) -> None:
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    with faulty_s3(FaultyS3(status=status, body=body)) as endpoint:
        answer = in_process(*ONE_FILE, **ON_S3, AWS_ENDPOINT_URL=endpoint.url)

    line = the_one_line(answer, 1)
    assert f"bucket bucket at {endpoint.url}" in line
    assert all(word in line for word in told)
    assert "c4nary" not in line


def test_a_dead_store_is_named(in_process: Callable[..., Answer]) -> None:
    url = unused_url().rstrip("/")

    assert f"check AWS_ENDPOINT_URL and that it runs (bucket bucket at {url})" in the_one_line(
        in_process(*ONE_FILE, **ON_S3, AWS_ENDPOINT_URL=url), 1
    )


def test_missing_credentials_are_asked_for(in_process: Callable[..., Answer]) -> None:
    variables = ON_S3 | {"AWS_ACCESS_KEY_ID": None, "AWS_EC2_METADATA_DISABLED": "true"}

    answer = in_process(*ONE_FILE, **variables, AWS_ENDPOINT_URL=unused_url())

    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in the_one_line(answer, 1)


def test_a_store_folder_that_is_not_mounted_is_not_filled(
    console: Console, in_process: Callable[..., Answer]
) -> None:
    (console.folder / "bucket").rmdir()

    assert "create or mount it" in the_one_line(in_process(*ONE_FILE), 1)
    assert not (console.folder / "bucket").exists()


def test_a_state_folder_that_cannot_be_made_is_named(quick_console: Console) -> None:
    quick_console.state.write_text("a file where the folder should be", encoding="utf-8")
    url = f"sqlite:///{quick_console.state}/ledger.db"

    lines = [
        the_one_line(quick_console.run(*command), 2) for command in (ONE_FILE, ("status",), ("quarantine", "list"))
    ]
    lines.append(
        the_one_line(quick_console.run("status", ONC_MIRROR_LEDGER_URL=url), 2).replace("LEDGER_URL", "STATE_DIR")
    )
    checked = quick_console.run("doctor", "--json")

    assert all("ONC_MIRROR_STATE_DIR: " in line and str(quick_console.state) in line for line in lines)
    wrong = [finding for finding in checked.json if finding["wrong_setting"]]
    assert checked.code == 2
    assert {finding["name"] for finding in wrong} == {"ledger", "scratch"}
    assert all("ONC_MIRROR_STATE_DIR: " in finding["detail"] for finding in wrong)


def test_a_product_that_no_file_is_of_is_told_with_where_the_codes_are(in_process: Callable[..., Answer]) -> None:
    answer = in_process("list", "-d", DEVICE, "--product", "XYZ")

    assert answer.code == 0
    assert answer.err == ("No file is of product XYZ; 'onc-mirror products' shows the codes that devices offer.\n")


def test_several_wrong_settings_are_a_line_each_with_what_they_are(in_process: Callable[..., Answer]) -> None:
    answer = in_process("mirror", ONC_MIRROR_CONCURRENCY="many", ONC_MIRROR_SCRATCH_BUDGET="lots")

    assert answer.code == 2
    assert answer.err == (
        "onc-mirror: ONC_MIRROR_CONCURRENCY: must be a whole number, at least 1 and at most 64, not 'many'\n"
        "ONC_MIRROR_SCRATCH_BUDGET: must be a size such as 20GiB, at least 1MiB, not 'lots'\n"
    )


def test_a_mistyped_variable_is_warned_of_with_the_one_that_is_meant(console: Console) -> None:
    answer = console.run("status", ONC_MIRROR_CONCURENCY="4", ONC_MIRROR_TEST_STORES="file")

    (line,) = answer.err.splitlines()
    assert answer.code == 0
    assert "ONC_MIRROR_CONCURENCY is no setting and changes nothing. Is ONC_MIRROR_CONCURRENCY meant?" in line


def test_a_full_disk_under_scratch_fails_files_and_says_what_to_do(quick_console: Console) -> None:
    with small_disk(quick_console.folder / "scratch", "40k") as scratch:
        answer = quick_console.run(*ONE_FILE, ONC_MIRROR_SCRATCH_DIR=str(scratch))
    following = quick_console.run(*ONE_FILE)

    assert (answer.code, answer.err) == (1, "")
    assert "scratch-full" in answer.out
    assert "set ONC_MIRROR_SCRATCH_DIR to a larger disk" in answer.out
    assert (following.code, following.err, len(quick_console.mirrored)) == (0, "", 1)


def test_a_full_disk_under_the_ledger_is_one_line(quick_console: Console) -> None:
    with small_disk(quick_console.folder / "state", "100k"):
        line = the_one_line(quick_console.run(*ONE_FILE), 1)

    assert str(quick_console.state / "ledger.db") in line
    assert "free space" in line


def test_a_full_disk_under_a_list_is_one_line(quick_console: Console) -> None:
    with small_disk(quick_console.folder / "small", "8k") as small:
        answer = quick_console.run("list", "-d", DEVICE, "--since", "P10D", "--csv", str(small / "list.csv"))

    assert the_one_line(answer, 1) == f"onc-mirror: {small / 'list.csv'}: No space left on device."


def test_a_reader_who_leaves_early_gets_no_complaint(console: Console, archive: RunningArchive) -> None:
    archive.fault(Kind.LATENCY, endpoint="device", seconds=0.3)
    with console.start("list", "-d", DEVICE, "--since", "2022-04-02", "--until", "P30D") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()

    assert said == ""
    assert process.returncode == 1
