"""Where the Prefect server is."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.errors import ServerRefusedError
from deployments.server import connected, server_url
from onc_mirror.errors import SettingsError
from tests.support.console import SCRIPT
from tests.support.raw_server import Request, answer, raw_server

if TYPE_CHECKING:
    import socket


@pytest.mark.parametrize("given", ["127.0.0.1:4200/api", "http:///api", "http://host:port/api"])
def test_an_address_that_is_none_is_a_wrong_setting(given: str) -> None:
    with (
        temporary_settings({PREFECT_API_URL: given}),
        pytest.raises(SettingsError, match="PREFECT_API_URL: is no URL such as http://"),
    ):
        server_url()


@pytest.mark.parametrize("given", ["http://a..b/api", "http://xn--a/api", "http://127.0.0.1:1/\x07api"])
def test_an_address_that_shows_to_be_none_when_it_is_asked_is_a_wrong_setting(given: str) -> None:
    with (
        temporary_settings({PREFECT_API_URL: given}),
        pytest.raises(SettingsError, match="PREFECT_API_URL: is no URL such as http://"),
        connected(),
    ):
        pass


def test_a_server_that_says_what_nobody_understands_is_refused() -> None:
    def talk(request: Request, connection: socket.socket) -> None:
        connection.sendall(answer(b'"3.8.8"' if request.path.endswith("version") else b'{"canary": 1}'))

    with (
        raw_server(talk) as server,
        temporary_settings({PREFECT_API_URL: f"{server.url}api"}),
        pytest.raises(ServerRefusedError, match=r"server that we understand \(ValidationError\)") as caught,
        connected() as client,
    ):
        client.read_work_pool("onc-mirror")
    assert "canary" not in str(caught.value)


def test_an_address_without_the_path_of_the_api_is_told_what_it_lacks() -> None:
    def talk(_request: Request, connection: socket.socket) -> None:
        connection.sendall(answer(b'{"detail": "Not Found"}', status=404))

    with (
        raw_server(talk) as server,
        temporary_settings({PREFECT_API_URL: server.url}),
        pytest.raises(ServerRefusedError, match="ends in /api"),
        connected(),
    ):
        pass


def test_an_address_is_told_without_its_password() -> None:
    with temporary_settings({PREFECT_API_URL: "https://me:canary@[::1]:4200/api"}):
        assert server_url() == "https://[::1]:4200/api"


def test_a_setting_that_prefect_itself_does_not_take_is_one_line() -> None:
    variables = {**os.environ, "PREFECT_API_URL": "http://[::1"}

    done = subprocess.run([SCRIPT, "deploy"], env=variables, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 2
    assert "(Value error, Invalid IPv6 URL). Look at PREFECT_API_URL" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
