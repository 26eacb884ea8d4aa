"""Debian's Prometheus for tests: where its programs are, and a server that vanishes with who asked for it.

A Prometheus that is asked for (`ONC_MIRROR_TEST_PROMETHEUS=1`) must be there; without that, tests that need one are
skipped where it is not installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[2]
_SCRIPT = _ROOT / "infra" / "sandbox" / "prometheus.sh"
RULES = _ROOT / "infra" / "prometheus" / "onc-mirror.rules.yml"
DASHBOARD = _ROOT / "infra" / "grafana" / "dashboards" / "onc-mirror.json"


def prometheus_programs() -> Path:
    """The folder of `prometheus` and `promtool`. Skips the test where they are not; fails it when they must be."""
    found = subprocess.run(["bash", str(_SCRIPT), "find"], capture_output=True, text=True, check=False)  # noqa: S607 - found on the PATH
    if found.returncode == 0:
        return Path(found.stdout.strip()).parent
    reason = found.stderr.strip()
    if os.environ.get("ONC_MIRROR_TEST_PROMETHEUS"):
        pytest.fail(f"ONC_MIRROR_TEST_PROMETHEUS asks for it. {reason}", pytrace=False)
    pytest.skip(reason)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `promtool`."""
    command = [prometheus_programs() / "promtool", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


class Prometheus:
    """A running server."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=10, trust_env=False)

    def value(self, expression: str) -> float | None:
        """What an expression that gives one series is now, None when it gives none."""
        result = self._ask("/query", query=expression)["result"]
        return float(result[0]["value"][1]) if result else None

    def alerts(self) -> set[tuple[str, str]]:
        """Name and state of all alerts."""
        return {(one["labels"]["alertname"], one["state"]) for one in self._ask("/alerts")["alerts"]}

    def broken_rules(self) -> list[str]:
        """The rules that cannot be evaluated, and why."""
        groups = self._ask("/rules")["groups"]
        return [rule["lastError"] for group in groups for rule in group["rules"] if rule["health"] == "err"]

    def close(self) -> None:
        self._client.close()

    def _ask(self, path: str, **parameters: str) -> Any:
        return self._client.get(path, params=parameters).raise_for_status().json()["data"]


@contextmanager
def running_prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    """Scrape `target` every second, with our rules."""
    programs = prometheus_programs()
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "onc-mirror", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    options = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'series'}"]
    options += ["--web.listen-address=127.0.0.1:0", "--log.format=json"]
    guard = [sys.executable, "-m", "infra.sandbox.guard", str(os.getpid())]
    with subprocess.Popen(
        [*guard, programs / "prometheus", *options], cwd=_ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            server = Prometheus(f"http://{_address(process)}")
            yield server
            server.close()
        finally:
            process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    """Where it says that it listens."""
    said = []
    for line in process.stderr or ():
        said.append(line)
        if '"msg":"Listening on"' in line:
            return str(json.loads(line)["address"])
    raise RuntimeError(f"Prometheus does not start: {''.join(said)}")
