"""The files of a declaration: what ships can be read, and what is wrong in one is told by its place."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from pydantic import SecretStr

from deployments.automations import desired_automations
from deployments.blocks import desired_blocks
from deployments.declared import SHIPPED, read_declaration
from deployments.registering import desired
from onc_mirror.errors import SettingsError
from onc_mirror.settings import AlertSettings, load_settings
from tests.support.receivers import running_hook

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the files that ship."""
    for name in ("prefect.yaml", "automations.yaml"):
        shutil.copy(SHIPPED / name, tmp_path)
    return tmp_path


def refusal(folder: Path) -> str:
    with pytest.raises(SettingsError) as refused:
        desired_automations(read_declaration(folder).automations, [uuid4()])
    return str(refused.value).removeprefix(f"{folder}/")


@pytest.mark.parametrize(
    ("file", "was", "becomes", "told"),
    [
        ("prefect.yaml", "deployments:", "deployments: [", "prefect.yaml: is no YAML: while parsing"),
        ("prefect.yaml", "limit: 1", "limits: 1", "prefect.yaml: deployments.hourly.concurrency_limit.limits: Extra"),
        ("prefect.yaml", "cron:", "crom:", "prefect.yaml: deployments.hourly.schedules.0.cron: Field required"),
        ("prefect.yaml", "tags: [onc-mirror]", "tags: [mine]", "deployments.hourly.tags: must have 'onc-mirror'"),
        (
            "prefect.yaml",
            "name: weekly",
            "name: nightly",
            '"flows.reconcile.reconcile as nightly" more than once',
        ),
        ("prefect.yaml", "pull: []", "pull: [{git: x}]", "prefect.yaml: pull: List should have at most 0 items"),
        ("automations.yaml", '"onc-mirror: hourly', '"hourly', "must begin with 'onc-mirror: '"),
        ("automations.yaml", "posture: Proactive", "posture: Hopeful", "zombie runs.trigger.event.posture: Input"),
        ("automations.yaml", "threshold: 1", "treshold: 1", "zombie runs: Prefect knows no treshold there"),
        ("automations.yaml", "block: onc-mirror-alerts", "block: mine", "names the block 'mine', and there is only"),
    ],
    ids=lambda value: value if ":" not in value else "",
)
def test_a_file_that_says_what_it_cannot_is_refused_by_name_and_place(
    folder: Path, file: str, was: str, becomes: str, told: str
) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert was in text
    (folder / file).write_text(text.replace(was, becomes), encoding="utf-8")

    assert told in refusal(folder)


def test_a_file_that_is_not_there_is_told(folder: Path) -> None:
    (folder / "automations.yaml").unlink()

    assert refusal(folder) == "automations.yaml: cannot be read (No such file or directory)."


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("flows.hourly.mirror_hour", "flows.hourly.mirror_ours", "entrypoint: flows.hourly.mirror_ours is no flow"),
        ("cron: 10 * * * *", "cron: 10 * * *", "deployments.hourly.schedules: "),
        ("timezone: UTC", "timezone: Utopia", "deployments.hourly.schedules: "),
    ],
    ids=["flow", "cron", "timezone"],
)
def test_what_prefect_cannot_make_of_it_is_told_before_a_server_is_asked(
    folder: Path, was: str, becomes: str, told: str
) -> None:
    text = (folder / "prefect.yaml").read_text(encoding="utf-8")
    (folder / "prefect.yaml").write_text(text.replace(was, becomes, 1), encoding="utf-8")

    with pytest.raises(SettingsError) as refused:
        desired(read_declaration(folder).deployments[0])

    assert told in str(refused.value)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # by Apprise, which Prefect imports
def test_a_message_reaches_every_receiver_of_the_settings() -> None:
    with running_hook() as hook:
        host = hook.url.removeprefix("http://").rstrip("/")
        settings = load_settings(
            AlertSettings,
            alert_webhook=SecretStr(f"http://{host}/hook?key=a%20b"),
            alert_urls=SecretStr(f"json://{host}/one, json://{host}/two"),
        )

        sent = [block.notify('a "text" {{ kept }}', subject="a title") for block in desired_blocks(settings)]

    assert len(sent) == 2
    assert sorted(hook.paths) == ["/hook?key=a%20b", "/one", "/two"]
    assert hook.came[0] == {"kind": "prefect", "title": "a title", "text": 'a "text" {{ kept }}'}
    assert [one["message"] for one in hook.came[1:]] == ['a "text" {{ kept }}'] * 2


def test_an_action_speaks_through_every_receiver_and_is_left_out_without_one() -> None:
    automations = read_declaration().automations
    blocks = [uuid4(), uuid4()]

    by_name = {one.name: one for one in desired_automations(automations, blocks, runbook="https://example.org/r.md")}
    silent = {one.name for one in desired_automations(automations, ())}

    assert list(by_name) == [one.name for one in automations]
    failed = by_name["onc-mirror: hourly failed"]
    assert [getattr(action, "block_document_id", None) for action in failed.actions] == blocks
    assert "https://example.org/r.md#" in str(failed.actions[0])
    assert "docs/runbook.md" not in str([one.actions for one in by_name.values()])
    assert silent == {"onc-mirror: end zombie runs"}
