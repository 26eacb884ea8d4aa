"""Each of the libraries that stand for a part of the world is known in one folder; the others talk to that folder."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("onc_mirror", "tasks", "flows", "deployments")


def imported(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.fixture(scope="module")
def importers() -> dict[str, set[str]]:
    """The modules that import each top-level package."""
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        for module in (ROOT / package).rglob("*.py"):
            for name in imported(module):
                found.setdefault(name, set()).add(str(module.relative_to(ROOT)))
    return found


@pytest.mark.parametrize(
    ("libraries", "homes"),
    [
        ({"sqlalchemy", "alembic", "sqlite3"}, ("onc_mirror/ledger/",)),
        ({"s3fs", "fsspec", "botocore"}, ("onc_mirror/store/",)),
        ({"urllib3"}, ("onc_mirror/archive/", "onc_mirror/alerts/posting.py")),
        ({"apprise"}, ("onc_mirror/alerts/receivers.py",)),
        ({"h5py"}, ("onc_mirror/validation/",)),
        ({"click", "rich"}, ("onc_mirror/cli/", "deployments/command.py")),
        ({"prometheus_client"}, ("onc_mirror/metrics/",)),
        ({"pydantic_settings"}, ("onc_mirror/settings/",)),
        ({"prefect"}, ("tasks/", "flows/", "deployments/")),
        ({"httpx"}, ("deployments/server.py", "tasks/spreading.py")),
    ],
    ids=["SQL", "S3", "HTTP", "messages", "HDF5", "console", "metrics", "settings", "orchestrator", "its-client"],
)
def test_a_library_is_known_in_one_place(
    importers: dict[str, set[str]], libraries: set[str], homes: tuple[str, ...]
) -> None:
    for library in libraries:
        assert importers[library]
        assert {module for module in importers[library] if not module.startswith(homes)} == set()


def test_no_second_client_of_the_same_thing_comes_in(importers: dict[str, set[str]]) -> None:
    """`onc`, boto3 and other HTTP clients are for tests, benchmarks and the sandbox; Prefect has its own."""
    assert "urllib3" in importers
    assert not {"onc", "boto3", "requests"} & set(importers)
