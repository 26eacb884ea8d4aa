"""A setting that is declared as secret is treated as one everywhere, with nothing else said about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

from onc_mirror.errors import SettingsError
from onc_mirror.redacting import redact
from onc_mirror.settings import MirrorSettings, load_settings, secrets
from onc_mirror.settings.declared import variable_of
from onc_mirror.settings.kinds import Address  # noqa: TC001 - pydantic reads the annotation

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = sorted(name for name, field in MirrorSettings.model_fields.items() if "SecretStr" in repr(field))
ADDRESS = "https://onc:c4nary5ecret9@example.org/"


class Vault(BaseSettings):
    """Settings with a secret that nothing else in the project knows."""

    model_config = SettingsConfigDict(env_prefix="ONC_MIRROR_", extra="ignore")

    vault: Address


@pytest.fixture(autouse=True)
def _knowing_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_kept", {})


@pytest.mark.parametrize("field", SECRETS)
def test_it_is_masked_before_anybody_has_read_it(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    monkeypatch.setenv(variable_of(field), ADDRESS)

    assert "c4nary5ecret9" not in redact(f"It was {ADDRESS} when it failed.")


def test_it_may_come_in_a_file_and_is_masked_from_then_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "vault").write_text(f"{ADDRESS}\n", encoding="utf-8")
    monkeypatch.setenv("ONC_MIRROR_VAULT_FILE", str(tmp_path / "vault"))

    assert load_settings(Vault).vault.get_secret_value() == ADDRESS
    assert "c4nary5ecret9" not in redact(f"It was {ADDRESS} when it failed.")


def test_it_is_shown_in_no_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONC_MIRROR_VAULT", "c4nary5ecret9")

    with pytest.raises(SettingsError) as caught:
        load_settings(Vault)

    assert str(caught.value) == "ONC_MIRROR_VAULT: must be a URL that begins with https:// or http://"
