"""Where the Prefect server is."""

from __future__ import annotations

import os
import subprocess

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.server import server_url
from onc_mirror.errors import SettingsError
from tests.support.console import SCRIPT


@pytest.mark.parametrize("given", ["127.0.0.1:4200/api", "http:///api", "http://host:port/api"])
def test_an_address_that_is_none_is_a_wrong_setting(given: str) -> None:
    with (
        temporary_settings({PREFECT_API_URL: given}),
        pytest.raises(SettingsError, match="PREFECT_API_URL: is no URL such as http://"),
    ):
        server_url()


def test_an_address_is_told_without_its_password() -> None:
    with temporary_settings({PREFECT_API_URL: "https://me:canary@[::1]:4200/api"}):
        assert server_url() == "https://[::1]:4200/api"


def test_a_setting_that_prefect_itself_does_not_take_is_one_line() -> None:
    variables = {**os.environ, "PREFECT_API_URL": "http://[::1"}

    done = subprocess.run([SCRIPT, "deploy"], env=variables, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 2
    assert "(Value error, Invalid IPv6 URL). Look at PREFECT_API_URL" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
