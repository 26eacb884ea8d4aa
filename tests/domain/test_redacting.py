from __future__ import annotations

import io
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onc_mirror.redacting import RedactingFilter, redact

TOKEN = "canary-0f1e2d3c-secret"
URL = f"https://data.example.org/api/archivefile/download?token={TOKEN}&filename=a.hdf5"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> tuple[logging.Logger, io.StringIO]:
    monkeypatch.setenv("ONC_TOKEN", TOKEN)
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(RedactingFilter())
    logger = logging.getLogger("canary")
    logger.propagate = False
    logger.handlers = [handler]
    return logger, written


def test_the_token_of_a_url_is_masked_and_the_rest_stays() -> None:
    assert redact(URL) == "https://data.example.org/api/archivefile/download?token=***&filename=a.hdf5"


@given(
    st.text(alphabet="abcdef0123456789-", min_size=1, max_size=40),
    st.sampled_from(["&", " ", '"', "'", "\n", ")", ""]),
)
def test_whatever_follows_it_a_token_parameter_is_masked(token: str, after: str) -> None:
    assert redact(f"GET /x?a=1&token={token}{after}b") in {
        f"GET /x?a=1&token=***{after}b",
        "GET /x?a=1&token=***",
    }


def test_of_an_address_that_httpx_could_not_use_only_the_host_stays() -> None:
    told = "Client error '404 Not Found' for url 'https://u:p@hooks.example.org:8/T1JJ3T3L2/x?key=1'\nFor more"

    assert redact(told) == "Client error '404 Not Found' for url 'https://hooks.example.org:8/***'\nFor more"


def lose_the_connection() -> None:
    raise RuntimeError("while downloading") from ConnectionError(f"Max retries exceeded with url: {URL}")


def test_message_arguments_and_tracebacks_are_cleaned(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log

    logger.warning("asked %s", URL)
    logger.warning("the bare value: %s", TOKEN)
    try:
        lose_the_connection()
    except RuntimeError:
        logger.exception("failed")

    text = written.getvalue()
    assert "Max retries exceeded" in text
    assert "RuntimeError: while downloading" in text
    assert TOKEN not in text


def test_a_record_cleaned_once_stays_clean_for_every_handler(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, _ = log
    second = io.StringIO()
    logger.addHandler(logging.StreamHandler(second))

    logger.error("asked %s", URL, stack_info=True)

    assert "asked" in second.getvalue()
    assert TOKEN not in second.getvalue()


def stop_at(name: str) -> None:
    raise RuntimeError(name)


def test_no_terminal_obeys_what_a_name_says(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    hostile = "\x1b]0;pwn\x07\x1b[2J\x9b31m\u202e\r"

    try:
        stop_at(hostile)
    except RuntimeError:
        logger.exception("device=%s decision=failed\n\tand more, ü", hostile)

    text = written.getvalue()
    assert "device=\\x1b]0;pwn\\x07\\x1b[2J\\x9b31m\\u202e\\r decision=failed\n\tand more, ü\n" in text
    assert all(sign.isprintable() or sign in "\n\t" for sign in text)


@pytest.mark.parametrize("host", ["db/ledger", "[::1", "db:notaport/x", "[bad"])
def test_the_ledgers_password_is_masked_however_broken_its_url_is(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("ONC_MIRROR_LEDGER_URL", f"postgresql://me:hunter2-secret@{host}")

    assert redact("no such user me with hunter2-secret") == "no such user me with ***"


def test_an_address_is_masked_however_plain_its_words_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONC_MIRROR_ALERT_WEBHOOK", "https://hooks.example.org/services/correct-horse")

    told = redact("Failed to parse headers (url=https://hooks.example.org:443/services/correct-horse)")

    assert "correct-horse" not in told
