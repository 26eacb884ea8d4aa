"""Secrets that come in files, as Docker, Kubernetes and systemd hand them over."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from onc_mirror.errors import SettingsError
from onc_mirror.redacting import redact
from onc_mirror.settings import AlertSettings, ArchiveSettings, LedgerSettings, load_settings, secrets

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "c4nary-0f-a-f1le"
LEDGER_URL = "postgresql+psycopg://mirror:c4nary-passw0rd@db/ledger"
ADDRESSES = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ\nmailtos://ops:c4nary-mail@example.org\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that ONC_TOKEN_FILE names, with a token and the line's end that an editor adds."""
    monkeypatch.setattr(secrets, "_kept", {})
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n", encoding="utf-8")
    monkeypatch.delenv("ONC_TOKEN", raising=False)
    monkeypatch.setenv("ONC_TOKEN_FILE", str(path))
    return path


def put(monkeypatch: pytest.MonkeyPatch, file: Path, variable: str, value: str) -> None:
    path = file.with_name(variable)
    path.write_text(value, encoding="utf-8")
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(f"{variable}_FILE", str(path))


@pytest.mark.usefixtures("file")
def test_a_token_may_come_in_a_file_and_is_masked_from_then_on() -> None:
    assert load_settings(ArchiveSettings).token.get_secret_value() == TOKEN
    assert redact(f"?x={TOKEN}.") == "?x=***."


@pytest.mark.usefixtures("file")
def test_a_token_from_a_file_is_masked_also_beside_a_blank_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONC_TOKEN", " ")

    assert load_settings(ArchiveSettings).token.get_secret_value() == TOKEN
    assert redact(f"?x={TOKEN}.") == "?x=***."


def test_so_may_every_other_secret(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(monkeypatch, file, "ONC_MIRROR_LEDGER_URL", LEDGER_URL)
    put(monkeypatch, file, "ONC_MIRROR_ALERT_URLS", ADDRESSES)
    put(monkeypatch, file, "ONC_MIRROR_ALERT_WEBHOOK", "https://example.org/c4nary-h00k")
    put(monkeypatch, file, "ONC_MIRROR_PING_URL", "https://example.org/c4nary-p1ng")

    with caplog.at_level(logging.WARNING):
        alerts = load_settings(AlertSettings)

    assert load_settings(LedgerSettings).ledger == LEDGER_URL
    assert len(alerts.alert_addresses) == 2
    assert alerts.alert_webhook is not None
    assert alerts.ping_url is not None
    assert "c4nary" not in redact(f"{LEDGER_URL} {ADDRESSES} c4nary-h00k c4nary-p1ng")
    assert caplog.records == []


@pytest.mark.usefixtures("file")
def test_a_secret_of_which_nobody_asks_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONC_MIRROR_LEDGER_URL_FILE", "/nowhere/at/all")

    assert load_settings(ArchiveSettings).token.get_secret_value() == TOKEN


def test_a_secret_in_two_places_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONC_TOKEN", "another-c4nary")

    with pytest.raises(SettingsError) as caught:
        load_settings(ArchiveSettings)

    assert str(caught.value) == "ONC_TOKEN_FILE: ONC_TOKEN is set as well; unset one of them"
    assert file.exists()


def test_an_empty_file_is_no_secret(file: Path) -> None:
    file.write_text(" \n", encoding="utf-8")

    with pytest.raises(SettingsError, match="ONC_TOKEN: is not set"):
        load_settings(ArchiveSettings)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"\xff\xfec4nary", "must hold the secret as text and nothing else"),
        (b"c4nary\0", "must hold the secret as text and nothing else"),
        (b"c4nary" * 20_000, "must hold the secret as text and nothing else"),
    ],
    ids=["missing", "no-text", "binary", "huge"],
)
def test_a_file_that_holds_no_secret_is_named_and_not_shown(file: Path, content: bytes | None, told: str) -> None:
    file.unlink()
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError) as caught:
        load_settings(ArchiveSettings)

    assert str(caught.value) == f"ONC_TOKEN_FILE: {file} {told}"


@pytest.mark.parametrize("pasted", ["1234abcd-ffff-4444", "https://chat.example.org/hooks/T1/c4nary"])
def test_a_secret_that_stands_in_the_place_of_its_file_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, pasted: str
) -> None:
    monkeypatch.setenv("ONC_TOKEN_FILE", pasted)

    with pytest.raises(SettingsError) as caught:
        load_settings(ArchiveSettings)

    assert str(caught.value) == "ONC_TOKEN_FILE: what it names cannot be read (No such file or directory)"


def test_the_mark_that_some_editors_begin_a_file_with_is_no_part_of_the_secret(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfc4nary-token\r\n")

    assert load_settings(ArchiveSettings).token.get_secret_value() == "c4nary-token"
