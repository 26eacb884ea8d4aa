"""`onc-mirror deploy` on a real Prefect server, and what that server then refuses, cancels and runs."""

from __future__ import annotations

import json
import shutil
import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import stamina
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from deployments.declared import SHIPPED
from onc_mirror.cli import main
from onc_mirror.ledger import open_ledger
from onc_mirror.report.document import RunReport
from tests.support.flow_runs import ArchiveControl, Deployed, environment_of, use, wait_for_end
from tests.support.raw_server import answer, raw_server, unused_url

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from infra.sandbox.up import Sandbox
    from tests.support.raw_server import Request

    Deploy = Callable[..., dict[str, Any]]

WEBHOOK = "http://127.0.0.1:9/hook?key=canary-4a7d"
RECEIVERS = "json://127.0.0.1:9/canary-4a7d, json://127.0.0.1:9/second-canary-4a7d"
DEVICE = "TUMSTANDARDMODULE001"


def is_busy(error: Exception) -> bool:
    # Prefect answers 503 when its SQLite database is locked.
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code == httpx.codes.SERVICE_UNAVAILABLE


class Api:
    """The server's REST API."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/api"
        self._client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    @stamina.retry(on=is_busy, attempts=8, timeout=30.0)
    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answered = self._client.request(method, path, json=body).raise_for_status()
        return answered.json() if answered.content else None

    def deployment(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/deployments/name/{name}")
        return found

    def run(self, name: str, parameters: dict[str, Any], **fields: Any) -> httpx.Response:
        path = f"/deployments/{self.deployment(name)['id']}/create_flow_run"
        return self._client.post(path, json={"parameters": parameters, **fields})

    def held(self) -> dict[str, Any]:
        """All that a deploy may change, by name, as the server holds it."""
        deployments = self.ask("POST", "/deployments/filter", {})
        automations = self.ask("POST", "/automations/filter", {})
        blocks = self.ask("POST", "/block_documents/filter", {"include_secrets": True})
        return {
            str(one["name"]): {key: value for key, value in one.items() if key not in {"status", "last_polled"}}
            for one in (*deployments, *automations, *blocks)
        }

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[Api]:
    server = Api(sandbox.options.prefect_url)
    yield server
    server.close()


@pytest.fixture
def deploy(api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Deploy]:
    """The command in this process, which takes a second and not ten; the server is as before afterwards."""

    def run(*arguments: str, **variables: str) -> dict[str, Any]:
        with monkeypatch.context() as patch, temporary_settings({PREFECT_API_URL: api.url}):
            for name, value in variables.items():
                patch.setenv(name, value)
            code = main.run(["deploy", "--json", *arguments])
        said = capsys.readouterr()
        assert "canary" not in said.out + said.err
        return {"code": code, **json.loads(said.out)}

    yield run
    for one in api.ask("POST", "/block_documents/filter", {}):
        api.ask("DELETE", f"/block_documents/{one['id']}")
    run()


def changed(deployed: dict[str, Any]) -> set[tuple[str, str, tuple[str, ...]]]:
    """Action, name and differing fields of each change."""
    return {
        (one["action"], one["name"], tuple(each["field"] for each in one["differences"]))
        for one in deployed["changes"]
    }


def edited(folder: Path, *edits: tuple[str, str, str]) -> Path:
    """A copy of the files that ship, with replacements (file, what, by what)."""
    for name in ("prefect.yaml", "automations.yaml"):
        shutil.copy(SHIPPED / name, folder)
    for name, was, becomes in edits:
        text = (folder / name).read_text(encoding="utf-8")
        assert was in text
        (folder / name).write_text(text.replace(was, becomes, 1), encoding="utf-8")
    return folder


def test_a_second_deploy_changes_nothing_and_says_so(deploy: Deploy, api: Api) -> None:
    before = api.held()

    again = deploy()

    assert (again["code"], again["changes"], again["unchanged"]) == (0, [], 8)
    assert api.held() == before


def test_what_the_files_say_is_made_so_and_what_is_not_ours_stays(deploy: Deploy, api: Api, tmp_path: Path) -> None:
    hourly, flow_id = api.deployment("mirror-hour/hourly"), api.deployment("scrub/daily")["flow_id"]
    stranger = api.ask("POST", "/deployments/", {"name": "strange", "flow_id": flow_id, "tags": ["mine"]})
    api.ask("POST", "/deployments/", {"name": "left", "flow_id": flow_id, "tags": ["onc-mirror"]})
    api.ask("PATCH", f"/deployments/{hourly['id']}/schedules/{hourly['schedules'][0]['id']}", {"active": False})
    api.ask("PATCH", f"/deployments/{hourly['id']}", {"job_variables": {"env": {"ONC_MIRROR_CONCURRENCY": "2"}}})
    files = edited(
        tmp_path,
        ("prefect.yaml", "cron: 10 * * * *", "cron: 20 * * * *"),
        ("prefect.yaml", "days: 7", "days: 14"),
        ("prefect.yaml", "slug: daily\n        cron: 20 6", "slug: early\n        cron: 20 3"),
        ("automations.yaml", "for 5 minutes. See", "for five minutes. See"),
    )
    before = api.held()

    foreseen = deploy("--dry-run", "--from", str(files))
    untouched = api.held()
    done = deploy("--from", str(files))

    expected = {
        ("update", "mirror-hour/hourly", ("schedules",)),
        ("update", "reconcile/nightly", ("parameters",)),
        ("update", "scrub/daily", ("schedules",)),
        ("update", "onc-mirror: end zombie runs", ("description",)),
        ("delete", "scrub/left", ()),
    }
    assert (foreseen["dry_run"], changed(foreseen), changed(done)) == (True, expected, expected)
    assert untouched == before
    after = api.deployment("mirror-hour/hourly")
    assert [(one["schedule"]["cron"], one["active"]) for one in after["schedules"]] == [("20 * * * *", False)]
    assert "The schedule hourly of mirror-hour/hourly is paused" in " ".join(done["notes"])
    assert after["job_variables"] == {"env": {"ONC_MIRROR_CONCURRENCY": "2"}}
    assert [one["slug"] for one in api.deployment("scrub/daily")["schedules"]] == ["early"]
    assert api.deployment("reconcile/nightly")["parameters"] == {"days": 14}
    assert {"strange"} <= set(api.held())
    assert deploy("--from", str(files))["changes"] == []
    api.ask("DELETE", f"/deployments/{stranger['id']}")
    api.ask("PATCH", f"/deployments/{hourly['id']}/schedules/{after['schedules'][0]['id']}", {"active": True})
    api.ask("PATCH", f"/deployments/{hourly['id']}", {"job_variables": {}})


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # by Apprise, which Prefect imports
def test_who_is_told_comes_from_the_settings_is_secret_and_stays_when_they_are_not_set(
    deploy: Deploy, api: Api, sandbox: Sandbox
) -> None:
    scheduled = ("hourly", "nightly", "weekly", "daily")
    first = deploy(ONC_MIRROR_ALERT_WEBHOOK=WEBHOOK)
    heard = armed(sandbox)
    moved = deploy(ONC_MIRROR_ALERT_WEBHOOK=f"{WEBHOOK}&to=b")
    both = deploy(ONC_MIRROR_ALERT_WEBHOOK=f"{WEBHOOK}&to=b", ONC_MIRROR_ALERT_URLS=RECEIVERS)
    again = deploy(ONC_MIRROR_ALERT_WEBHOOK=f"{WEBHOOK}&to=b", ONC_MIRROR_ALERT_URLS=RECEIVERS)
    unset = deploy()
    held = api.ask("POST", "/block_documents/filter", {})
    shown = api.ask("POST", "/block_documents/filter", {"include_secrets": True})
    one = deploy(ONC_MIRROR_ALERT_URLS=RECEIVERS)

    assert ("create", "custom-webhook/onc-mirror-alerts", ()) in changed(first)
    assert heard == {*(f"{each} failed" for each in scheduled), "no success of mirror-hour"}
    assert not [name for name in api.held() if "ends a deploy" in name]
    assert changed(moved) == {("update", "custom-webhook/onc-mirror-alerts", ("secrets",))}
    assert ("create", "slack-webhook/onc-mirror-alerts", ()) in changed(both)
    assert ("update", "onc-mirror: hourly failed", ("actions",)) in changed(both)
    assert (again["changes"], unset["changes"]) == ([], [])
    assert "who is told stays as it is" in unset["notes"][0]
    assert "canary" not in json.dumps(held)
    assert json.dumps(shown).count("canary") == 3
    assert ("delete", "custom-webhook/onc-mirror-alerts", ()) in changed(one)


def armed(sandbox: Sandbox) -> set[str]:
    """The automations that have heard of a deploy, and so tell of the very first failure."""
    (database,) = (sandbox.options.state / "prefect").glob("prefect.db")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        found = connection.execute(
            "SELECT name FROM automation JOIN composite_trigger_child_firing ON automation_id = automation.id"
            " WHERE child_firing LIKE '%onc-mirror.deployed%'"
        ).fetchall()
    return {name.removeprefix("onc-mirror: ") for (name,) in found}


def _unauthorised(_request: Request, connection: socket.socket) -> None:
    connection.sendall(answer(b'{"exception_message": "Unauthorized"}', status=401))


def test_a_server_that_cannot_be_used_is_told_with_what_to_do(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with raw_server(_unauthorised) as locked:
        tries = {
            None: (2, "PREFECT_API_URL: is not set."),
            f"{unused_url()}api": (1, "No Prefect server answers at http://127.0.0.1:"),
            f"{sandbox.options.archive_url}api": (1, "is no Prefect server."),
            f"{locked.url}api": (2, "does not let us in (HTTP 401). Set PREFECT_API_AUTH_STRING"),
        }
        for url, (code, told) in tries.items():
            with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: "admin:canary-4a7d"}):
                assert main.run(["deploy", "--dry-run"]) == code, url

            said = capsys.readouterr().err
            assert told in said
            assert "canary" not in said


@pytest.mark.parametrize(
    ("deployment", "parameters", "reason"),
    [
        ("backfill/backfill", {}, "'since' is a required property"),
        ("backfill/backfill", {"since": "yesterday"}, "'yesterday' does not match"),
        ("backfill/backfill", {"since": "2026-13-01"}, "'2026-13-01' does not match '^(2026-11-22|"),
        ("backfill/backfill", {"since": "2026-01-01", "slices_per_run": 0}, "0 is less than the minimum of 1"),
        ("backfill/backfill", {"since": "2026-01-01", "only": "bad"}, "'bad' is not one of ['failed']"),
        ("backfill/backfill", {"since": "2026-01-01", "sicne": "2026-01-02"}, "('sicne' was unexpected)"),
        ("mirror-hour/hourly", {"devices": ["TUMLIDAR009"]}, "'TUMLIDAR009' is not one of ['TUM"),
        ("mirror-hour/hourly", {"devices": []}, "[] should be non-empty"),
        ("backfill-part/part", {"since": "2026-01-01", "run_id": "../x"}, "'../x' does not match"),
        ("reconcile/nightly", {"days": 4000}, "4000 is greater than the maximum of 3650"),
        ("scrub/daily", {"budget_bytes": "much"}, "'much' is not"),
    ],
    ids=lambda value: next(iter(value), "none") if isinstance(value, dict) else "",
)
def test_a_wrong_parameter_is_refused_with_its_reason_before_there_is_a_run(
    api: Api, deployment: str, parameters: dict[str, Any], reason: str
) -> None:
    runs = {"deployments": {"id": {"any_": [api.deployment(deployment)["id"]]}}}
    before = api.ask("POST", "/flow_runs/count", runs)

    refused = api.run(deployment, parameters)

    assert refused.status_code == httpx.codes.CONFLICT
    assert reason in refused.json()["detail"]
    assert api.ask("POST", "/flow_runs/count", runs) == before


def test_the_form_explains_every_parameter(api: Api) -> None:
    for one in ("mirror-hour/hourly", "backfill/backfill", "reconcile/nightly", "scrub/daily"):
        fields = api.deployment(one)["parameter_openapi_schema"]["properties"]

        assert fields
        assert not [name for name, field in fields.items() if not field.get("description", "").endswith((".", "`"))]
        assert not [name for name, field in fields.items() if not {"type", "anyOf", "const", "enum"} & set(field)]


def test_after_an_outage_one_of_the_runs_that_were_missed_works_and_the_others_do_nothing(
    sandbox: Sandbox, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed = use(Deployed(sandbox, environment_of(tmp_path / "state", uuid.uuid4().hex[:8])), monkeypatch)
    archive = ArchiveControl(sandbox.options.archive_url)
    archive.clear()
    missed = [datetime.now(UTC) - timedelta(hours=hours) for hours in (4, 3, 2, 1)]

    runs = [
        api.run(
            "mirror-hour/hourly",
            {"devices": [DEVICE]},
            state={"type": "SCHEDULED", "state_details": {"scheduled_time": time.isoformat()}},
            job_variables={"env": deployed.environment},
        ).json()["id"]
        for time in missed
    ]
    ended = [wait_for_end(sandbox, run) for run in runs]

    with open_ledger(deployed.settings.ledger) as ledger:
        texts = [ledger.report(run.run_id) for run in ledger.runs(10)]
    reports = [RunReport.from_json(text) for text in texts if text is not None]
    downloads = [one["filename"] for one in archive.requests() if one["endpoint"] == "download"]
    archive.close()
    worked = [report for report in reports if report.mirrored]
    assert {run.state_type for run in ended} <= {"COMPLETED", "CANCELLED"}
    assert len(worked) == 1
    assert len(reports) == sum(run.is_completed for run in ended)
    assert len(downloads) == len(set(downloads)) == worked[0].mirrored
