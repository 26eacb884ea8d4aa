"""What people see of the mirror in the Prefect UI: a real browser on the sandbox's server."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect

from deployments.declared import read_declaration
from infra.sandbox.orchestrator import DEPLOYMENT
from tests.support.browser import open_browser, require_browser
from tests.support.flow_runs import Deployed, environment_of, wait_for_end
from tests.support.prefect_form import choose, form_field, pick_day
from tests.support.raw_server import unused_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from infra.sandbox.orchestrator import FlowRun
    from infra.sandbox.up import Sandbox

DEVICE = "TUMSTANDARDMODULE001"
CONSOLE = "https://console.example.org/my-bucket/"


@dataclass(frozen=True, slots=True)
class Runs:
    """A run of the hour that goes well, and a backfill that finds the archive dead."""

    deployed: Deployed
    hour: FlowRun
    backfill: FlowRun


@pytest.fixture(scope="module")
def begun(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """At work while the browser starts and looks at other pages."""
    require_browser()
    well, badly = (environment_of(tmp_path_factory.mktemp(name), uuid.uuid4().hex[:8]) for name in ("well", "badly"))
    well |= {"ONC_MIRROR_BROWSE_URL": f"{CONSOLE}{{key}}"}
    day = datetime.now(UTC) - timedelta(days=2)
    hour = sandbox.orchestrator.trigger(DEPLOYMENT, parameters={"devices": [DEVICE]}, environment=well)
    backfill = sandbox.orchestrator.trigger(
        "backfill/backfill",
        parameters={"since": f"{day:%Y-%m-%d}", "devices": [DEVICE]},
        environment=badly | {"ONC_MIRROR_ARCHIVE_URL": unused_url()},
    )
    return Runs(Deployed(sandbox, well), hour, backfill)


@pytest.fixture(scope="module")
def page(sandbox: Sandbox, begun: Runs) -> Iterator[Page]:  # noqa: ARG001 - the runs begin first
    with open_browser(sandbox.options.prefect_url) as page:
        yield page


@pytest.fixture(scope="module")
def ended(sandbox: Sandbox, begun: Runs) -> Runs:
    hour = wait_for_end(sandbox, begun.hour.id)
    if hour.was_crowded_out:
        hour = begun.deployed.run(devices=[DEVICE])
    return Runs(begun.deployed, hour, wait_for_end(sandbox, begun.backfill.id))


def asked(sandbox: Sandbox, method: str, path: str, body: Any = None) -> Any:
    url = f"{sandbox.options.prefect_url}/api{path}"
    return httpx.request(method, url, json=body, timeout=30, trust_env=False).raise_for_status().json()


def test_every_deployment_is_listed_with_its_flow_and_whether_it_has_a_schedule(page: Page) -> None:
    page.goto("/deployments")

    declared = read_declaration().deployments
    assert len(declared) == 6
    for one in declared:
        flow = one.entrypoint.rpartition(".")[2].replace("_", "-")
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=one.name, exact=True))
        row = row.filter(has_text=re.compile(rf"{one.name}\s*{flow}\b"))
        expect(row).to_have_count(1)
        expect(row.get_by_text("+1", exact=True)).to_have_count(len(one.schedules))


def test_the_form_of_a_backfill_explains_its_fields_and_refuses_a_bad_date_with_its_reason(
    sandbox: Sandbox, page: Page
) -> None:
    deployment = asked(sandbox, "GET", "/deployments/name/backfill/backfill")
    runs = {"deployments": {"id": {"any_": [deployment["id"]]}}}
    before = asked(sandbox, "POST", "/flow_runs/count", runs)

    page.goto(f"/deployments/deployment/{deployment['id']}/run")

    fields = deployment["parameter_openapi_schema"]["properties"]
    assert {"since", "until", "devices", "dry_run"} <= set(fields)
    for name, field in fields.items():
        expect(form_field(page, name)).to_contain_text(field["description"].replace("`", ""))
    choose(page, "devices", "list", DEVICE)
    choose(page, "only", "str", "failed")
    pick_day(page, "since", 15)
    since = form_field(page, "since")
    since.locator(".schema-form-property-menu").click()
    page.get_by_text("Use JSON input").click()
    expect(since.get_by_role("textbox")).to_have_value(f'"{datetime.now(UTC):%Y-%m}-15"')
    since.get_by_role("textbox").fill('"2026-13-01"')
    page.get_by_role("button", name="Submit").click()
    expect(since).to_contain_text("'2026-13-01' is not a 'date'")
    assert asked(sandbox, "POST", "/flow_runs/count", runs) == before


def test_a_finished_run_shows_its_tables(ended: Runs, page: Page) -> None:
    page.goto(f"/runs/flow-run/{ended.hour.id}")

    expect(page.get_by_role("banner")).to_contain_text("Completed")
    page.get_by_text("Artifacts", exact=True).click()
    for name in ("devices", "attention", "plan", "progress", "standing", "waiting", "summary"):
        expect(page.get_by_role("link", name=f"mirror-hour-{name}")).to_be_visible()
    standing = page.get_by_role("link", name="mirror-hour-standing").get_attribute("href") or ""
    page.get_by_role("link", name="mirror-hour-devices").click()
    (counted,) = ended.deployed.table(ended.hour, "mirror-hour-devices")
    assert (counted["device"], counted["mirrored"] > 0) == (DEVICE, True)
    expect(page.get_by_role("columnheader")).to_have_text(list(counted))
    expect(page.get_by_role("row").filter(has_text=DEVICE).get_by_role("cell")).to_have_text(
        [str(value) for value in counted.values()]
    )
    page.goto(standing)
    folder = ended.deployed.environment["ONC_MIRROR_STORE_URL"].rpartition("/")[2]
    expect(page.get_by_role("link", name=DEVICE)).to_have_attribute("href", f"{CONSOLE}{folder}/raw/{DEVICE}/")


def test_a_failed_run_shows_its_reason(ended: Runs, page: Page) -> None:
    page.goto(f"/runs/flow-run/{ended.backfill.id}")

    expect(page.get_by_role("banner")).to_contain_text("Failed")
    page.get_by_text("Details", exact=True).click()
    page.get_by_text("See More").click()
    reason = f"1 of 1 device not wholly listed (connection-refused): {DEVICE}."
    expect(page.get_by_text(reason)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_text("Artifacts", exact=True).click()
    page.get_by_role("link", name="backfill-attention").click()
    expect(page.get_by_role("row").filter(has_text=DEVICE)).to_contain_text("check the network")
