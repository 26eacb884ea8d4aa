"""What is wrong is told to real receivers once, again when it is over, and whatever happens in between."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from infra.sandbox.archive.faults import Kind
from onc_mirror.alerts import receivers
from onc_mirror.alerts.causes import Cause
from onc_mirror.ledger import open_ledger
from onc_mirror.model import Decision, Outcome
from onc_mirror.scrub.story import ScrubRequest, scrub
from onc_mirror.settings.kinds import addresses_in
from tests.support.archive_files import archive_file
from tests.support.mirrors import DEVICE, NOON, VICTIM, bench, on_ladder
from tests.support.receivers import running_hook
from tests.support.rot import rot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from tests.support.archive import RunningArchive
    from tests.support.mirrors import Bench
    from tests.support.receivers import Hook

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise imports it

HOUR = timedelta(hours=1)
NOBODY = "http://127.0.0.1:1/5f3c9d2e-nobody"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with running_hook() as running:
        yield running


@pytest.fixture
def mirror(archive: RunningArchive, tmp_path: Path, hook: Hook) -> Bench:
    return bench(archive, tmp_path, alert_webhook=hook.url, alert_after=1)


@pytest.fixture
def looking(archive: RunningArchive, tmp_path: Path, hook: Hook) -> Bench:
    """A mirror that wants nothing of what it lists, so that its runs are short."""
    return bench(archive, tmp_path, alert_webhook=hook.url, alert_after=1, extensions=("none",))


def change(mirror: Bench, **settings: Any) -> None:
    mirror.settings = mirror.settings.model_copy(update=settings)


def rejected(mirror: Bench) -> None:
    token = mirror.settings.token
    change(mirror, token=SecretStr("00000000-wrong-0000"))
    assert mirror.run(devices=(DEVICE,)).errors[0].reason == "token-rejected"
    change(mirror, token=token)


def test_a_device_that_falls_silent_by_its_own_habit_and_comes_back_is_told(looking: Bench, hook: Hook) -> None:
    with looking.open() as parts:
        parts.ledger.start_run("before", "backfill", NOON)
        hourly = [
            archive_file(0, DEVICE, filename=f"{hours}.txt", archived_at=NOON - (2.1 + hours) * HOUR)
            for hours in range(100)
        ]
        outcomes = [Outcome(file, Decision.FILTERED, "extension") for file in hourly]
        parts.ledger.record_many(outcomes, run_id="before", now=NOON)
    silence = looking.archive.fault(Kind.VANISHED, filename=f"{DEVICE}_*")

    looking.run(devices=(DEVICE,))
    early = hook.told()
    for hours in (3, 4):
        looking.turn(NOON + hours * HOUR)
        looking.run(devices=(DEVICE,))
    (said,) = hook.came
    late = hook.told()
    looking.archive.faults.remove(silence)
    looking.turn(NOON + 5 * HOUR)
    looking.run(devices=(DEVICE,))

    assert early == []
    assert late == [("opened", "device-silent", (DEVICE,))]
    assert said["title"] == f"onc-mirror: {DEVICE}: no new files for longer than usual"
    assert said["alerts"][0]["since"] == "2022-05-02T10:24:00Z"
    assert said["runbook"] == "docs/runbook.md#device-silent"
    assert hook.told() == [("ended", "device-silent", (DEVICE,))]


def test_a_quarantined_file_is_told_and_that_none_is_left(mirror: Bench, hook: Hook) -> None:
    on_ladder(mirror, (timedelta(minutes=30),))
    bad = mirror.archive.fault(Kind.BIT_FLIP, filename=VICTIM, endpoint="download")

    mirror.run(devices=(DEVICE,))
    (said,) = hook.came
    first = hook.told()
    mirror.run(devices=(DEVICE,))
    again = hook.told()
    mirror.archive.faults.remove(bad)
    mirror.archive.fault(Kind.RE_ARCHIVED, filename=VICTIM, at=mirror.now)
    mirror.turn(NOON + HOUR)
    mirror.run(devices=(DEVICE,))

    assert first == [("opened", "quarantine", (DEVICE,))]
    assert said["alerts"][0]["detail"] == f"1 file in quarantine: {VICTIM}."
    assert said["alerts"][0]["run_id"]
    assert again == []
    assert hook.told() == [("ended", "quarantine", (DEVICE,))]


def test_damage_that_a_scrub_found_and_mended_is_told_and_that_the_next_found_none(mirror: Bench, hook: Hook) -> None:
    mirror.run(devices=(DEVICE,))
    rot(mirror, f"raw/{DEVICE}/2022/05/02/{VICTIM}")
    before = hook.told()

    with mirror.open() as parts:
        scrub(parts, ScrubRequest())
        (said,) = hook.came
        found = hook.told()
        mirror.turn(NOON + HOUR)
        scrub(parts, ScrubRequest())

    assert before == []
    assert found == [("opened", "damage", (DEVICE,))]
    assert said["alerts"][0]["detail"].startswith("1 object found missing or damaged, 1 of them are put right:")
    assert hook.told() == [("ended", "damage", (DEVICE,))]


def test_dead_receivers_cost_a_bounded_time_and_nobody_else_a_message(
    looking: Bench, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    with running_hook() as silent:
        silent.silent = True
        urls = f"json://{silent.url.removeprefix('http://')}/sl0wT0ken99, json://{NOBODY.removeprefix('http://')}"
        change(looking, alert_urls=SecretStr(urls), alert_timeout_s=1.5)

        began = time.monotonic()
        rejected(looking)
        took = time.monotonic() - began

        assert hook.told() == [("opened", "token-rejected", ("",))]
        assert took < 20  # the silent one keeps its connection for 30 s
        logged = [record.getMessage() for record in caplog.records if "told=no" in record.getMessage()]
        assert [line.split()[0] for line in logged] == ["receiver=json", "receiver=json-2"]
        silent.silent = False
        silent.requests.clear()
        rejected(looking)

        assert hook.told() == []
        assert len(silent.requests) == 1


def test_a_receiver_that_is_set_later_is_told_what_is_open(looking: Bench, hook: Hook) -> None:
    change(looking, alert_webhook=None)
    rejected(looking)
    change(looking, alert_webhook=SecretStr(hook.url))

    rejected(looking)

    assert hook.told() == [("opened", "token-rejected", ("",))]


def test_a_server_error_of_a_receiver_is_tried_once_more(looking: Bench, hook: Hook) -> None:
    hook.statuses = [503]

    rejected(looking)
    rejected(looking)

    assert len(hook.requests) == 2


def test_the_dead_mans_switch_hears_of_the_begin_and_the_end_of_each_hourly_run(looking: Bench, hook: Hook) -> None:
    change(looking, alert_webhook=None, ping_url=SecretStr(f"{hook.url}/ping/5f3c?create=1"))

    rejected(looking)
    hook.wait_for_requests(2)
    looking.run(devices=(DEVICE,), since=NOON - HOUR)  # by hand, which says nothing of the schedule
    report = looking.run(devices=(DEVICE,))
    hook.wait_for_requests(4)

    started = "/ping/5f3c/start?create=1"
    assert hook.paths == [started, "/ping/5f3c/fail?create=1", started, "/ping/5f3c?create=1"]
    assert any(f"{report.listed} files of 1 device listed" in body for _, body in hook.requests)


def test_no_address_of_a_receiver_is_in_any_log_report_or_ledger(
    looking: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries = ["T1CANARY01", "B2CANARY02", "c4narySecretPath3", "c4narypassw0rd", "c4nary-5f3c-9d2e"]
    urls = (
        f"json://127.0.0.1:1/{canaries[2]}",
        f"mailto://me:{canaries[3]}@127.0.0.1:1/?from=a@example.org&to=b@example.org&smtp=127.0.0.1",
        f"slack://{canaries[0]}/{canaries[1]}/TIiajkdnlazkcOXrIdevi7FQ",
    )
    for name, value in (
        ("ALERT_URLS", ", ".join(urls)),
        ("ALERT_WEBHOOK", f"http://127.0.0.1:1/{canaries[2]}"),
        ("PING_URL", f"http://127.0.0.1:1/{canaries[4]}"),
    ):
        monkeypatch.setenv(f"ONC_MIRROR_{name}", value)
    from apprise.plugins import slack  # noqa: PLC0415 - takes long to import

    monkeypatch.setattr(slack.NotifySlack, "webhook_url", "http://127.0.0.1:1/services")
    change(
        looking,
        alert_urls=SecretStr(", ".join(urls)),
        alert_webhook=SecretStr(f"http://127.0.0.1:1/{canaries[2]}"),
        ping_url=SecretStr(f"http://127.0.0.1:1/{canaries[4]}"),
    )
    caplog.set_level(logging.DEBUG)
    logging.getLogger("onc_mirror").setLevel(logging.DEBUG)

    rejected(looking)

    said = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("urllib3"))
    assert {"receiver=webhook", "receiver=json", "receiver=mailto", "receiver=slack"} <= set(said.split())
    assert "ping=fail taken=no" in said
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()).decode(errors="replace")
    assert "token-rejected" in kept
    assert not [one for one in canaries if one in said + kept + repr(looking.settings)]


def test_who_is_told_has_a_name_without_secrets(looking: Bench) -> None:
    urls = "slack://T1JJ3T3L2/A1BRTD4JD/x, slack://T2/A2/y,json://h?to=a,b"
    change(looking, alert_urls=SecretStr(urls))

    assert len(addresses_in(urls)) == 3
    assert [one.name for one in receivers.receivers_of(looking.settings)] == ["webhook", "slack", "slack-2", "json"]


def test_every_alert_is_forgotten_when_it_is_over_and_told(looking: Bench, hook: Hook) -> None:
    rejected(looking)
    looking.run(devices=(DEVICE,))

    assert hook.told() == [("opened", Cause.TOKEN_REJECTED, ("",)), ("ended", Cause.TOKEN_REJECTED, ("",))]
    with open_ledger(looking.settings.ledger) as ledger:
        assert ledger.alerts.read() == ()
        assert ledger.alerts.tellings() == ()
