"""Takes the README's pictures of the Prefect UI anew, in Chromium, from a sandbox of its own.

    python -m tests.pictures

Takes about a minute. Needs Chromium (`infra/sandbox/chromium.sh install`). Exit code 1 when the run that is to be
shown does not complete. Look at the pictures before you commit them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect
from rich.console import Console

from infra.sandbox.demo import mirror_one_hour, run_url
from infra.sandbox.options import ROOT, SandboxOptions
from infra.sandbox.up import running_sandbox
from tests.support.browser import open_browser
from tests.support.prefect_form import choose, pick_day

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from infra.sandbox.orchestrator import FlowRun
    from infra.sandbox.up import Sandbox

IMAGES = ROOT / "docs" / "images"
SETTLED_S = 1.0
LONGEST_S = 30.0


def main() -> int:
    """Run an hour in a sandbox, and take the pictures; returns the exit code."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="onc-mirror-pictures-") as folder:
        options = SandboxOptions(Path(folder), archive_port=0, s3_port=0, prefect_port=0, size="tiny")
        with running_sandbox(options, console.print) as sandbox:
            run = mirror_one_hour(sandbox, console)
            if not run.is_completed:
                console.print(run.message)
                return 1
            with open_browser(sandbox.options.prefect_url) as page:
                show(sandbox, run, page)
    return 0


def show(sandbox: Sandbox, run: FlowRun, page: Page) -> None:
    """Take all pictures."""
    page.set_viewport_size({"width": 1280, "height": 1130})
    page.goto(run_url(sandbox, run))
    page.get_by_text("Artifacts", exact=True).click()
    standing = page.get_by_role("link", name="mirror-hour-standing")
    expect(standing).to_be_visible()
    take(page, "prefect-run.png")
    address = standing.get_attribute("href") or ""
    page.set_viewport_size({"width": 1780, "height": 760})
    page.goto(address)
    expect(page.get_by_role("columnheader").first).to_be_visible()
    take(page, "prefect-artifact.png")
    show_form(page)


def show_form(page: Page) -> None:
    """Take the picture of what a backfill asks."""
    page.set_viewport_size({"width": 1280, "height": 1180})
    page.goto("/deployments")
    page.get_by_role("link", name="backfill", exact=True).first.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    choose(page, "devices", "list", "TUMLIDAR001")
    pick_day(page, "since", 1)
    take(page, "prefect-backfill.png")


def take(page: Page, name: str) -> None:
    """Take a picture as soon as the page has not changed for a second.

    Raises:
        TimeoutError: It goes on changing.
    """
    picture = page.screenshot(animations="disabled")
    deadline = time.monotonic() + LONGEST_S
    while time.monotonic() < deadline:
        page.wait_for_timeout(SETTLED_S * 1000)
        before, picture = picture, page.screenshot(animations="disabled")
        if picture == before:
            (IMAGES / name).write_bytes(picture)
            return
    raise TimeoutError(f"{name}: the page still changes after {LONGEST_S:g} s.")


if __name__ == "__main__":
    sys.exit(main())
