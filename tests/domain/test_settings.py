from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from onc_mirror.errors import SettingsError
from onc_mirror.model import Grade
from onc_mirror.settings import ArchiveSettings, LedgerSettings, MirrorSettings, load_settings

TOKEN = "11111111-2222-3333-4444-555555555555"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MirrorSettings.model_fields:
        monkeypatch.delenv(f"ONC_MIRROR_{name.upper()}", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("ONC_TOKEN", TOKEN)
    monkeypatch.setenv("ONC_MIRROR_STORE_URL", "s3://bucket/prefix/")


def test_two_variables_are_enough() -> None:
    settings = load_settings()

    assert str(settings.archive_url) == "https://data.oceannetworks.ca/"
    assert settings.store_url == "s3://bucket/prefix"
    assert settings.extensions == ("hdf5",)
    assert settings.grade is Grade.CONTENT
    assert settings.overlap == timedelta(hours=1)
    assert settings.ledger == f"sqlite:///{settings.state_dir / 'ledger.db'}"
    assert settings.scratch == settings.state_dir / "scratch"


def test_values_are_read_in_the_units_that_people_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONC_MIRROR_OVERLAP", "P2D")
    monkeypatch.setenv("ONC_MIRROR_SCRATCH_BUDGET", "3GiB")
    monkeypatch.setenv("ONC_MIRROR_RETRY_DELAYS_S", "1, 2.5,30")
    monkeypatch.setenv("ONC_MIRROR_EXTENSIONS", "HDF5, .txt")
    monkeypatch.setenv("ONC_MIRROR_STATE_DIR", "~/mirror")

    settings = load_settings()

    assert settings.overlap == timedelta(days=2)
    assert settings.scratch_budget == 3 * 2**30
    assert settings.retry_delays_s == (1.0, 2.5, 30.0)
    assert settings.extensions == ("hdf5", "txt")
    assert settings.state_dir == Path.home() / "mirror"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ONC_MIRROR_OVERLAP", "6h"),
        ("ONC_MIRROR_OVERLAP", "P1M"),
        ("ONC_MIRROR_OVERLAP", "-PT1H"),
        ("ONC_MIRROR_OVERLAP", "PT99999999999999999999H"),
        ("ONC_MIRROR_OVERLAP", "P999999999999Y"),
        ("ONC_MIRROR_CONCURRENCY", "0"),
        ("ONC_MIRROR_CONCURRENCY", "many"),
        ("ONC_MIRROR_GRADE", "perfect"),
        ("ONC_MIRROR_STORE_URL", "bucket"),
        ("ONC_MIRROR_STORE_URL", "s3://"),
        ("ONC_MIRROR_STORE_URL", "s3:///x"),
        ("ONC_MIRROR_STORE_URL", "s3://UPPER_bad!/x"),
        ("ONC_MIRROR_STORE_URL", "s3://me:secret@bucket/x"),
        ("ONC_MIRROR_STORE_URL", "s3://b"),
        ("ONC_MIRROR_STORE_URL", "s3://bucket/a//b"),
        ("ONC_MIRROR_STORE_URL", "s3://bucket//a"),
        ("ONC_MIRROR_STORE_URL", "s3://bucket/../x"),
        ("ONC_MIRROR_STORE_URL", "s3://bucket/a/./x"),
        ("ONC_MIRROR_STORE_URL", "s3://bucket/a\tx"),
        ("ONC_MIRROR_STORE_URL", "s3://bucket/" + "x" * 501),
        ("ONC_MIRROR_ARCHIVE_URL", "not a url"),
        ("ONC_MIRROR_RETRY_DELAYS_S", "-1"),
        ("ONC_MIRROR_RETRY_DELAYS_S", "soon"),
        ("ONC_MIRROR_SCRATCH_BUDGET", "1kB"),
        ("ONC_MIRROR_STALL_TIMEOUT_S", "0"),
        ("ONC_MIRROR_EXTENSIONS", ","),
        ("ONC_MIRROR_STATE_DIR", "~nobody-of-that-name/mirror"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert variable in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("ONC_MIRROR_ARCHIVE_URL", "data.oceannetworks.ca", "must be a URL that begins with https://, not 'data."),
        ("ONC_MIRROR_ARCHIVE_URL", "ftp://me:secret@host/", "must be a URL that begins with https://"),
        ("ONC_MIRROR_ARCHIVE_URL", "https://me:secret@host/", "must hold no user and no password: messages name it"),
        ("ONC_MIRROR_RUNBOOK_URL", "https://secret@host/", "must hold no user and no password: messages name it"),
        ("AWS_ENDPOINT_URL", "https://me:secret@host/", "must hold no user and no password: messages name it"),
        (
            "ONC_MIRROR_OVERLAP",
            "P31D",
            "must be an ISO 8601 duration such as PT6H, at least P0D and at most P30D, not 'P31D'",
        ),
        ("ONC_MIRROR_CONCURRENCY", "1.5", "must be a whole number, at least 1 and at most 64, not '1.5'"),
        ("ONC_MIRROR_SCRATCH_BUDGET", "lots", "must be a size such as 20GiB, at least 1MiB, not 'lots'"),
        (
            "ONC_MIRROR_LEASE",
            "P9D",
            "must be an ISO 8601 duration such as PT6H, at least PT1S and at most P1D, not 'P9D'",
        ),
        ("ONC_MIRROR_GRADE", "perfect", "must be one of 'size', 'open', 'structure' or 'content', not 'perfect'"),
        ("ONC_MIRROR_STORE_URL", "my-secret", "must be s3://bucket[/prefix] or file:///folder"),
    ],
)
def test_a_wrong_setting_says_what_it_must_be_and_what_it_is_unless_that_is_secret(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value).startswith(f"{variable}: {told}")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("variable", ["ONC_MIRROR_CONCURRENCY", "ONC_MIRROR_HOLD_DELAYS", "ONC_MIRROR_GRADE"])
def test_a_token_pasted_for_another_setting_is_not_shown(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "8c2f7d1e-0000-4abc-9def-123456789abc")

    with pytest.raises(SettingsError, match=rf"^{variable}: .*, not what is set \(so long") as caught:
        load_settings()

    assert "8c2f7d1e" not in str(caught.value)


@pytest.mark.parametrize("url", ["s3://bucket", "s3://my.old_Bucket-1/a b/ü", "file:///mnt/a//b"])
def test_a_store_url_may_have_any_bucket_and_prefix_that_a_store_takes(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("ONC_MIRROR_STORE_URL", url)

    assert load_settings().store_url == url


@pytest.mark.parametrize("variable", ["ONC_TOKEN", "ONC_MIRROR_STORE_URL"])
def test_a_missing_setting_says_what_it_is_for(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.delenv(variable)

    with pytest.raises(SettingsError, match=rf"{variable}: is not set \(.+\)"):
        load_settings()


def test_secrets_are_in_no_representation_and_no_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONC_MIRROR_LEDGER_URL", "postgresql+psycopg://me:hunter2-secret@db/ledger")
    settings = load_settings()
    monkeypatch.setenv("ONC_MIRROR_CONCURRENCY", "0")

    with pytest.raises(SettingsError) as caught:
        load_settings()

    for text in (repr(settings), str(settings), settings.model_dump_json(), str(caught.value)):
        assert TOKEN not in text
        assert "hunter2" not in text


def test_a_token_pasted_with_a_newline_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONC_TOKEN", f" {TOKEN}\n")

    assert load_settings().token.get_secret_value() == TOKEN


def test_a_blank_token_is_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONC_TOKEN", " \n")

    with pytest.raises(SettingsError, match="ONC_TOKEN: is not set"):
        load_settings()


def test_looking_around_in_the_archive_needs_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONC_MIRROR_STORE_URL")

    assert load_settings(ArchiveSettings).token.get_secret_value() == TOKEN


def test_reading_the_ledger_needs_neither_token_nor_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONC_TOKEN")
    monkeypatch.delenv("ONC_MIRROR_STORE_URL")

    assert load_settings(LedgerSettings).ledger.endswith("/ledger.db")
