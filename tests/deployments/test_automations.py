"""The automations: Prefect takes them, they watch our runs alone, and each scheduled deployment has its pair."""

from __future__ import annotations

import re
from copy import deepcopy
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import yaml
from prefect.server.events.schemas.automations import AutomationCreate
from prefect.server.utilities.user_templates import render_user_template_sync

from deployments.blocks import desired_blocks
from infra.sandbox.environment import part_environment
from infra.sandbox.options import SandboxOptions
from onc_mirror.flow_names import HOURLY, ON_DEMAND
from onc_mirror.model import Decision, Outcome
from onc_mirror.settings import AlertSettings, load_settings
from tasks.reporting import run_state
from tests.support.archive_files import archive_file
from tests.support.receivers import smtp_receiver
from tests.support.reports import build_report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from onc_mirror.report.document import RunReport

ROOT = Path(__file__).resolve().parents[2]
AUTOMATIONS: list[dict[str, Any]] = yaml.safe_load((ROOT / "deployments" / "automations.yaml").read_text("utf-8"))[
    "automations"
]
BLOCK = "onc-mirror-alerts"
OURS = {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.onc-mirror"}


def events(trigger: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every event trigger in a trigger."""
    if trigger["type"] == "event":
        yield trigger
    for child in trigger.get("triggers", ()):
        yield from events(child)


def related(trigger: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = trigger["match_related"]
    return wanted if isinstance(wanted, list) else [wanted]


def test_prefect_takes_each_of_them() -> None:
    for one in AUTOMATIONS:
        actions = [
            {name: value for name, value in action.items() if name != "block"}
            | ({"block_document_id": uuid4()} if "block" in action else {})
            for action in one["actions"]
        ]

        AutomationCreate.model_validate(deepcopy(one) | {"actions": actions})  # which changes what it is given

    assert len({one["name"] for one in AUTOMATIONS}) == len(AUTOMATIONS) > 5
    assert all(one["name"].startswith("onc-mirror: ") and one["description"] for one in AUTOMATIONS)
    assert {action.get("block", BLOCK) for one in AUTOMATIONS for action in one["actions"]} == {BLOCK}


def test_runs_of_others_on_the_same_server_are_left_alone() -> None:
    watched = [each for one in AUTOMATIONS for each in events(one["trigger"])]

    of_messages = [each for each in watched if "match_related" not in each]
    assert [each["match"]["prefect.resource.name"] for each in of_messages] == ["onc-mirror: [!e]*"]
    assert all(OURS in related(each) for each in watched if each not in of_messages)


def test_every_scheduled_deployment_has_a_message_when_it_fails_and_when_it_works_again() -> None:
    deployments = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text("utf-8"))["deployments"]
    scheduled = [one["name"] for one in deployments if "schedules" in one]
    by_name = {one["name"]: one["trigger"] for one in AUTOMATIONS}

    assert scheduled
    for name in scheduled:
        for end in ("failed", "works again"):
            named = {
                each["prefect.resource.name"]
                for child in events(by_name[f"onc-mirror: {name} {end}"])
                for each in related(child)
                if each["prefect.resource.role"] == "deployment"
            }
            assert named == {name}


def test_a_run_over_a_window_of_somebodys_own_is_no_success_of_the_schedule_and_no_zombie() -> None:
    names = {
        f"prefect.flow-run.{run_state(ended).name}"
        for held in ((), [Outcome(archive_file(0), Decision.HELD, "not-ready")])
        for ended in [report_of(ON_DEMAND, held)]
    }
    watched = {
        one["name"]: {name for each in events(one["trigger"]) for name in each["expect"]} for one in AUTOMATIONS
    }
    taken = {name for name, expected in watched.items() for each in names if any(fnmatch(each, e) for e in expected)}

    assert len(names) == 2
    assert taken == {
        name for name in watched if name.endswith("zombie runs") or re.search("nightly|weekly|daily", name)
    }
    assert f"prefect.flow-run.{run_state(report_of(HOURLY)).name}" in watched["onc-mirror: hourly works again"]


def report_of(flow: str, outcomes: Iterable[Outcome] = ()) -> RunReport:
    return build_report(
        run_id="r", flow=flow, window=(None, None), devices=[], outcomes=outcomes, errors=(), seconds=1.0
    )


def test_a_run_is_a_zombie_only_after_three_heartbeats_that_did_not_come(tmp_path: Path) -> None:
    sandbox = part_environment(SandboxOptions(tmp_path, archive_port=1, s3_port=2, prefect_port=3, size="tiny"))
    (zombies,) = [one["trigger"] for one in AUTOMATIONS if one["name"].endswith("zombie runs")]

    assert zombies["within"] >= 3 * int(sandbox["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])


def test_every_message_leads_to_an_entry_of_the_runbook() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    entries = {line.removeprefix("## ").strip().lower().replace(" ", "-") for line in runbook.splitlines()}
    bodies = [action["body"] for one in AUTOMATIONS for action in one["actions"] if "body" in action]
    named = {
        name
        for body in bodies
        for name in re.findall(r"runbook\.md#([a-z-]+)|'([a-z-]+)' (?:if|else)|else '([a-z-]+)'", body)
    }
    named = {name for names in named for name in names if name}

    assert len(named) > 4
    assert named <= entries


def test_a_failure_says_whether_the_next_one_is_told() -> None:
    (failed,) = {
        action["body"]
        for one in AUTOMATIONS
        for action in one["actions"]
        if one["name"] == "onc-mirror: backfill failed"
    }
    end = failed.rstrip().splitlines()[-1]

    assert "each failure" in render_user_template_sync(end, {"flow": {"name": "backfill"}}).lower()
    assert "until a run succeeds" in render_user_template_sync(end, {"flow": {"name": "mirror-hour"}})


def test_nothing_in_the_message_of_a_run_is_taken_for_markup_or_a_template() -> None:
    message = "Look at <!channel> [click](https://evil.example) {{ 7 * 7 }}.hdf5."
    context = {"event": {"resource": {"prefect.state-message": message}}}
    bodies = {action["body"] for one in AUTOMATIONS for action in one["actions"] if "body" in action}
    heads = [body.partition("\n")[0] for body in bodies if "state-message" in body]

    told = {render_user_template_sync(head, context) for head in heads}

    assert len(heads) == 3
    assert told == {"Look at ‹!channel> [click] (https://evil.example) {{ 7 * 7 }}.hdf5."}  # noqa: RUF001 - meant


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # by Apprise, which Prefect imports
def test_a_mail_keeps_the_lines_of_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    with smtp_receiver() as receiver:
        monkeypatch.setenv("ONC_MIRROR_ALERT_URLS", receiver.url)
        (block,) = desired_blocks(load_settings(AlertSettings))

        text = "what\n\nrun: calm-otter\nlook: http://127.0.0.1/"
        block.notify(text, subject="a title")  # type: ignore[unused-coroutine]  # outside a loop it notifies

    (mail,) = receiver.messages
    assert mail.subject == "a title"
    assert mail.body.splitlines() == ["what", "", "run: calm-otter", "look: http://127.0.0.1/"]
