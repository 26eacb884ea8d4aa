"""The image's steps, run as processes in a folder: there is no container engine where the tests run."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.sandbox.composed.images import image_steps
from tests.support.infra_files import ROOT

SCRIPTS = Path(sys.executable).parent
# Left out, as they only cost time here: a cache is welcome, and nothing runs often enough to be compiled.
DEAR = ("--no-cache", "--compile-bytecode")
# The first step of the image; here uv is that of this environment, which has the version and hashes of the same lock.
FETCH_UV = "pip install --no-cache-dir"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that stands for the root of the image after its first stage."""
    root = tmp_path_factory.mktemp("image")
    source = root / "src"
    source.mkdir()
    stage = "\n".join(image_steps()).split("FROM ")[1]
    for step in stage.splitlines()[2:]:
        kind, _, rest = step.partition(" ")
        if kind == "COPY":
            *names, target = rest.split()
            for name in names:
                copy(ROOT / name, source / target)
        else:
            assert kind == "RUN", step
            run(rest, root)
    return root


def copy(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(path, target)


def run(step: str, root: Path) -> None:
    for command in step.split("&&"):
        words = [word for word in shlex.split(command) if word not in DEAR]
        line = shlex.join(words).replace("/opt/", f"{root}/opt/").replace("'dist/*.whl'", "dist/*.whl")
        line = line.replace(f"{root}/opt/build/bin/uv", str(SCRIPTS / "uv"))
        if FETCH_UV in line:
            continue
        if words[:3] == ["python", "-m", "venv"]:
            line = f"{sys.executable} -m venv --without-pip {root}{words[-1]}"
        done = subprocess.run(["/bin/sh", "-ec", line], cwd=root / "src", capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_the_image_has_what_runs_in_production_and_no_more(built: Path) -> None:
    """Whether a Prefect server starts with these versions is seen in the sandbox, which has the same."""
    folder = built / "opt" / "onc-mirror"
    complete = [str(SCRIPTS / "uv"), "pip", "check", "--python", str(folder / "bin" / "python")]

    checked = subprocess.run(complete, capture_output=True, text=True, check=False)
    version = subprocess.run([folder / "bin" / "onc-mirror", "--version"], capture_output=True, text=True, check=True)

    assert checked.returncode == 0, checked.stderr
    assert version.stdout.startswith("onc-mirror ")
    assert (folder / "logging.yml").read_bytes() == (ROOT / "deployments" / "logging.yml").read_bytes()
    programs = {path.name for path in (folder / "bin").iterdir()}
    assert {"prefect", "onc-mirror"} <= programs
    assert not {"pytest", "mypy", "uv", "swift-init", "pip-audit"} & programs
