"""`onc-mirror alerts`, `onc-mirror doctor --liveness`, and what is told by a mirror that is killed while it tells."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from onc_mirror.flow_names import HOURLY, ON_DEMAND
from onc_mirror.ledger import open_ledger
from onc_mirror.report.document import NO_DEVICE, DeviceError
from tests.support.receivers import running_hook
from tests.support.reports import build_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.console import Answer, Console
    from tests.support.receivers import Hook

WRONG = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with running_hook() as running:
        yield running


def test_what_was_told_when_the_mirror_was_killed_is_told_again_and_then_no_more(
    console: Console, hook: Hook
) -> None:
    told = {"ONC_MIRROR_ALERT_WEBHOOK": hook.url, "ONC_TOKEN": WRONG, "ONC_MIRROR_ALERT_TIMEOUT_S": "1"}
    hook.silent = True
    variables = told | {"ONC_MIRROR_ALERT_TIMEOUT_S": "4"}
    with console.start("mirror", "-d", "TUMLIDAR001", variables=variables) as process:
        hook.wait_for_requests(1)
        process.kill()
    killed = hook.told()
    hook.silent = False

    for _ in range(2):
        assert console.run("mirror", "-d", "TUMLIDAR001", **told).code == 1

    assert killed == [("opened", "token-rejected", ("",))]
    assert hook.told() == [("opened", "token-rejected", ("",))]


def test_open_alerts_are_listed_with_whom_they_were_told(
    console: Console, in_process: Callable[..., Answer], hook: Hook
) -> None:
    absent = in_process("alerts", "--json")
    open_ledger(f"sqlite:///{console.state / 'ledger.db'}").close()
    nothing = in_process("alerts")
    in_process("mirror", "-d", "TUMLIDAR001", ONC_TOKEN=WRONG, ONC_MIRROR_ALERT_WEBHOOK=hook.url)

    shown = in_process("alerts", ONC_TOKEN=None)
    (alert,) = in_process("alerts", "--json", ONC_TOKEN=None).json["alerts"]

    assert absent.code == 2
    assert absent.json["error"]["detail"].startswith("There is no ledger at ")
    assert nothing.out == "There is no open alert.\n"
    assert all(word in shown.out for word in ("token-rejected", "webhook", "does not accept the token"))
    assert (alert["cause"], alert["count"], list(alert["told"])) == ("token-rejected", 1, ["webhook"])


def test_a_test_message_says_who_took_it(in_process: Callable[..., Answer], hook: Hook) -> None:
    good = in_process("alerts", "--test", ONC_MIRROR_ALERT_WEBHOOK=hook.url)
    hook.statuses = [403]
    bad = in_process("alerts", "--test", "--json", ONC_MIRROR_ALERT_WEBHOOK=hook.url)
    none = in_process("alerts", "--test")

    assert (good.code, good.out) == (0, "webhook: taken.\n")
    assert hook.came[0]["kind"] == "test"
    assert bad.code == 1
    assert bad.json == {"receivers": [{"name": "webhook", "trouble": "it answered HTTP 403"}]}
    assert none.code == 2
    assert "neither is set" in none.err


@pytest.mark.parametrize("value", ["hooks.slack.com/c4nary99", "ftp://host/c4nary99"])
def test_an_address_that_cannot_be_one_is_refused_without_being_told(
    in_process: Callable[..., Answer], value: str
) -> None:
    refused = in_process("alerts", "--test", ONC_MIRROR_ALERT_WEBHOOK=value)

    assert refused.code == 2
    assert refused.err == "onc-mirror: ONC_MIRROR_ALERT_WEBHOOK: must be a URL that begins with https:// or http://\n"


def end_run(state_dir: Path, ago: timedelta, *errors: DeviceError, flow: str = HOURLY) -> None:
    ended = datetime.now(UTC) - ago
    with open_ledger(f"sqlite:///{state_dir / 'ledger.db'}") as ledger:
        name, span = str(ago), (None, ended)
        report = build_report(
            run_id=name, flow=flow, window=span, devices=[], outcomes=[], errors=errors, seconds=1.0
        )
        ledger.start_run(report.run_id, flow, ended)
        ledger.finish_run(report, ended)


def test_liveness_is_one_line_and_an_exit_code_from_the_ledger_alone(
    console: Console, in_process: Callable[..., Answer]
) -> None:
    def probe(*options: str) -> Answer:
        nothing = {"ONC_TOKEN": None, "ONC_MIRROR_STORE_URL": None, "ONC_MIRROR_ARCHIVE_URL": None}
        return in_process("doctor", "--liveness", *options, **nothing)

    absent = probe()
    end_run(console.state, timedelta(hours=5))
    end_run(console.state, timedelta(minutes=1), flow=ON_DEMAND)
    end_run(console.state, timedelta(hours=1), DeviceError(NO_DEVICE, "bucket-missing", "It is not there."))
    late, patient = probe(), probe("--within", "PT6H", "--json")
    now = datetime.now(UTC)
    with open_ledger(f"sqlite:///{console.state / 'ledger.db'}") as ledger:
        ledger.start_run("at-work", HOURLY, now, alive_until=now + timedelta(minutes=2))
    at_work = probe()

    assert absent.code == 1
    assert absent.out.startswith("Not alive: there is no ledger at ")
    assert late.code == 1
    assert late.out.startswith("Not alive for 3 h: last good run ended at ")
    assert late.out.count("\n") == 1
    assert (patient.code, json.loads(patient.out)["alive"]) == (0, True)
    assert (at_work.code, at_work.out.partition(" since ")[0]) == (0, "Alive: run at-work is at work")


@pytest.mark.parametrize("options", [("--within", "PT3H"), ("--liveness", "--within", "3 hours")])
def test_a_probe_that_is_asked_wrongly_says_so(in_process: Callable[..., Answer], options: tuple[str, ...]) -> None:
    assert in_process("doctor", *options).code == 2
