"""What `infra/lock.py --check` says where no package index answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMAGE_LOCK = "infra/container/requirements.lock"
BUILD_LOCK = "infra/container/build.lock"
FILES = ("pyproject.toml", "requirements.lock", "infra/lock.py", "infra/bootstrap.lock", IMAGE_LOCK, BUILD_LOCK)
NO_INDEX = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / IMAGE_LOCK).parent.mkdir(parents=True)
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def check(project: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "infra/lock.py", "--check"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")} | NO_INDEX
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_lock_that_has_what_is_asked_for_passes_and_says_what_was_not_checked(project: Path) -> None:
    done = check(project)

    assert done.returncode == 0, done.stderr
    assert "Connection refused" in done.stderr
    assert done.stderr.endswith("It has what pyproject.toml asks for, so it passes.\n")


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("nowhere-to-be-found>=1", "asks for nowhere-to-be-found>=1, the lock has none. Run `make lock`."),
        ("click>=999", "asks for click>=999, the lock has "),
        ("click>>9", "asks for click>>9, which is no requirement"),
    ],
    ids=["missing", "too-old", "garbled"],
)
def test_a_lock_that_lacks_what_is_asked_for_is_stale(project: Path, new: str, says: str) -> None:
    replace(project / "pyproject.toml", '"click>=8.1"', f'"{new}"')

    done = check(project)

    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bootstrap_lock_of_another_uv_is_stale(project: Path) -> None:
    replace(project / "infra" / "bootstrap.lock", "uv==", "uv==0.")

    done = check(project)

    assert done.returncode == 1
    assert "infra/bootstrap.lock is stale: run `make lock`." in done.stderr


def test_a_lock_of_the_image_with_a_version_of_its_own_is_stale(project: Path) -> None:
    replace(project / IMAGE_LOCK, "\nclick==", "\nclick==9")

    done = check(project)

    assert done.returncode == 1
    assert f"{IMAGE_LOCK} is stale: click==9" in done.stderr


def test_the_image_has_neither_the_sandbox_nor_tools_of_developers() -> None:
    image = (ROOT / IMAGE_LOCK).read_text(encoding="utf-8")

    assert "\nprefect-redis==" in image
    assert not [name for name in ("pytest", "mypy", "swift", "uv", "pip-audit") if f"\n{name}==" in image]


def test_every_place_names_the_same_oldest_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert project["project"]["requires-python"] == ">=3.11"
    assert project["tool"]["ruff"]["target-version"] == "py311"
    assert '"--python-version", "3.11"' in (ROOT / "infra" / "lock.py").read_text(encoding="utf-8")
    assert "OLDEST = (3, 11)" in (ROOT / "infra" / "bootstrap.py").read_text(encoding="utf-8")
    assert "Python 3.11" in (ROOT / "README.md").read_text(encoding="utf-8")
