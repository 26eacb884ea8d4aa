"""Log lines: fields in each of them, and JSON of the same."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from onc_mirror.logs import JsonFormatter, formatter_of
from onc_mirror.model import Decision
from onc_mirror.redacting import RedactingFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "canary-0f1e2d3c-secret"
ONE_FIELD = r"\w+=(?:%(?:\.\d)?[srdf]|[\w-]+)"
# Sentences for people that have nothing else in them.
PROSE = {"%s"}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> tuple[logging.Logger, io.StringIO]:
    """A logger with two handlers, both redacted, of which the second writes JSON."""
    monkeypatch.setenv("ONC_TOKEN", TOKEN)
    written = io.StringIO()
    logger = logging.Logger("canary")  # noqa: LOG001 - of this test alone
    for stream, formatter in ((io.StringIO(), formatter_of("text")), (written, formatter_of("json"))):
        handler = logging.StreamHandler(stream)
        handler.addFilter(RedactingFilter())
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    return logger, written


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_has_its_fields_whatever_a_name_looks_like(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    hostile = "a b=c 'd' decision=mirrored\n\x1b[2J.hdf5"

    logger.warning("file=%s decision=%s bytes=%d detail=%r", hostile, Decision.HELD, 7, f"No byte of {TOKEN}.")

    (line,) = lines(written)
    assert line["file"] == "a b=c 'd' decision=mirrored\n\\x1b[2J.hdf5"
    assert (line["decision"], line["bytes"], line["detail"]) == ("held", 7, "No byte of ***.")
    assert (line["level"], line["logger"]) == ("WARNING", "canary")
    assert line["message"].endswith("decision=held bytes=7 detail='No byte of ***.'")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])


def lose_the_connection() -> None:
    raise RuntimeError(f"http://127.0.0.1/?token={TOKEN}")


def test_a_traceback_is_part_of_the_line_and_clean(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log

    try:
        lose_the_connection()
    except RuntimeError:
        logger.exception("file=%s decision=failed", "a.hdf5")

    (line,) = lines(written)
    assert (line["file"], line["decision"]) == ("a.hdf5", "failed")
    assert "RuntimeError: http://127.0.0.1/?token=***" in line["trace"]


def test_no_field_takes_the_place_of_what_every_line_has() -> None:
    record = logging.LogRecord("canary", logging.INFO, "", 1, "level=%s time=%s", ("low", "never"), None)

    line = json.loads(JsonFormatter().format(record))

    assert line["level"] == "INFO"
    assert line["time"] != "never"
    assert line["message"] == "level=low time=never"


def templates() -> Iterator[tuple[str, str]]:
    """Each template that is logged, and where."""
    for folder in ("onc_mirror", "tasks", "flows"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                if isinstance(node.func.value, ast.Name) and node.func.value.id == "logger":
                    texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
                    yield from ((str(path.relative_to(ROOT)), str(text)) for text in texts[:1])


def test_every_event_is_told_in_fields() -> None:
    found = list(templates())

    assert len(found) > 20
    prose = [one for one in found if not re.fullmatch(rf"{ONE_FIELD}(?: {ONE_FIELD})*", one[1])]
    assert [one for one in prose if one[1] not in PROSE] == []
