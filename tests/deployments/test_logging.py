"""The logging file: Prefect's own, plus redaction on every handler and the mirror's loggers."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deployments" / "logging.yml"
CANARY = "canary-9d2f41c7"

# In a process of its own: logging is configured once per process, and here by pytest.
SPEAK = f"""
import logging
from prefect.logging.configuration import setup_logging
setup_logging()
url = "http://127.0.0.1/api?token={CANARY}&filename=a.hdf5"
logging.getLogger("onc_mirror.archive").info("asking url=%s", url)
try:
    raise ValueError(url)
except ValueError:
    logging.getLogger("somebody.else").exception("failed at %s", url)
"""


def read(path: Path) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return config


def test_file_is_that_of_the_installed_prefect_with_redaction_added() -> None:
    """After an upgrade of Prefect this says what to carry over."""
    spec = importlib.util.find_spec("prefect")
    assert spec is not None
    assert spec.origin is not None
    original = read(Path(spec.origin).parent / "logging" / "logging.yml")
    ours = read(FILE)

    assert ours["handlers"] == {name: {**one, "filters": ["redact"]} for name, one in original["handlers"].items()}
    added = {name: ours["loggers"].pop(name) for name in ("onc_mirror", "tasks", "flows")}
    assert ours["loggers"].pop("stamina") == {"level": "ERROR"}
    assert ours["loggers"] == original["loggers"]
    assert ours["root"] == original["root"]
    assert all(one == {"level": "INFO", "handlers": ["api"]} for one in added.values())


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_is_written_and_the_mirror_is_heard_at_info(tmp_path: Path, log_format: str) -> None:
    variables = {
        "PREFECT_HOME": str(tmp_path),
        "PREFECT_LOGGING_CONFIG_PATH": str(FILE),
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "ONC_TOKEN": CANARY,
        "ONC_MIRROR_LOG_FORMAT": log_format,
    }

    done = subprocess.run(
        [sys.executable, "-c", SPEAK],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert "asking url=http://127.0.0.1/api?token=***&filename=a.hdf5" in done.stderr
    assert "ValueError: http://127.0.0.1/api?token=***&filename=a.hdf5" in done.stderr
    assert CANARY not in done.stdout + done.stderr
    if log_format == "json":
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        assert [(line["level"], line.get("url")) for line in lines] == [
            ("INFO", "http://127.0.0.1/api?token=***&filename=a.hdf5"),
            ("ERROR", None),
        ]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in written if CANARY.encode() in path.read_bytes()]
