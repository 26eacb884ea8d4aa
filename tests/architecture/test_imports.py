"""The direction of dependencies: kept, and the contract that says so really catches a breach."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("onc_mirror", "tasks", "flows", "deployments")
LINT_IMPORTS = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    # The tool puts its working directory first on sys.path, so a copy is judged and not the installed packages.
    return subprocess.run(LINT_IMPORTS, cwd=root, capture_output=True, text=True, timeout=120, check=False)


def test_flows_call_tasks_and_tasks_call_the_domain() -> None:
    done = lint_imports(ROOT)

    assert done.returncode == 0, done.stdout
    assert "5 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("onc_mirror/layout.py", "import prefect", "the domain knows no orchestrator"),
        ("onc_mirror/layout.py", "import tasks.policy", "flows call tasks, tasks call onc_mirror"),
        ("tasks/policy.py", "import flows.hourly", "flows call tasks, tasks call onc_mirror"),
        ("onc_mirror/cli/main.py", "import deployments.command", "deployments name flows, and import none"),
        ("deployments/declared.py", "import flows.hourly", "deployments name flows, and import none"),
        ("deployments/declared.py", "import tasks.policy", "deployments and tasks know nothing of each other"),
        (
            "onc_mirror/planning.py",
            "import onc_mirror.ledger",
            "commands stand on runs, runs on the ports, the ports on the words",
        ),
    ],
    ids=[
        "domain-prefect",
        "domain-tasks",
        "tasks-flows",
        "domain-deployments",
        "deployments-flows",
        "deployments-tasks",
        "planning-ledger",
    ],
)
def test_breach_is_caught(tmp_path: Path, module: str, line: str, contract: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / module).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")

    done = lint_imports(tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contract} BROKEN" in done.stdout
