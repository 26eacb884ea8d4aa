"""Debian's Chromium for tests and pictures, without a window: what people see of the Prefect UI.

A Chromium that is asked for (`ONC_MIRROR_TEST_BROWSER=1`) must be there; without that, tests that need one are
skipped where it is not installed.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

_SCRIPT = Path(__file__).parents[2] / "infra" / "sandbox" / "chromium.sh"
_LONGEST_MS = 30_000
_WIDTH, _HEIGHT = 1280, 900
# It is to see this machine and nothing else, and to write as little as possible.
_ARGUMENTS = ("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--no-proxy-server", "--disk-cache-size=1")


class NoBrowserError(Exception):
    """Chromium is not installed; the message says how to install it."""


def browser_program() -> Path:
    """Where Chromium is.

    Raises:
        NoBrowserError: Nowhere.
    """
    found = subprocess.run(["bash", str(_SCRIPT), "find"], capture_output=True, text=True, check=False)  # noqa: S607 - found on the PATH
    if found.returncode:
        raise NoBrowserError(found.stderr.strip())
    return Path(found.stdout.strip())


def require_browser() -> None:
    """Skip the test where there is no Chromium; fail it when it must be there."""
    try:
        browser_program()
    except NoBrowserError as missing:
        if os.environ.get("ONC_MIRROR_TEST_BROWSER"):
            pytest.fail(f"ONC_MIRROR_TEST_BROWSER asks for it. {missing}", pytrace=False)
        pytest.skip(str(missing))


@contextmanager
def open_browser(base_url: str) -> Iterator[Page]:
    """A page of a fresh browser, of the same size, language and zone everywhere. Its waits end after 30 s.

    While it is open, this thread has an asyncio loop: call nothing of Prefect's client in it.

    Args:
        base_url: What its addresses begin with.

    Raises:
        NoBrowserError: Chromium is not installed.
    """
    program = browser_program()
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS)) as chromium,
        chromium.new_context(
            base_url=base_url,
            viewport={"width": _WIDTH, "height": _HEIGHT},
            locale="en-GB",
            timezone_id="UTC",
            color_scheme="light",
            reduced_motion="reduce",
        ) as context,
    ):
        context.set_default_timeout(_LONGEST_MS)
        expect.set_options(timeout=_LONGEST_MS)
        yield context.new_page()
