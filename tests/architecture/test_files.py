"""What the repository holds, and what the wheel made of it holds."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Split, so that this file is not its own finding.
REGISTRIES = ("pypi" + ".org", "python" + "hosted", "npm" + "js.", "deb." + "debian", "conda" + ".anaconda")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|home|work|Users)/" + r"\w")
NONDESCRIPT = {"utils", "util", "helpers", "common", "misc"}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607 - found on the PATH
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_file_names_a_package_registry_or_a_path_of_somebodys_machine() -> None:
    findings, seen = [], 0
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        seen += 1
        named = [host for host in REGISTRIES if host in text]
        findings += [f"{path.relative_to(ROOT)}: {found}" for found in named + MACHINE_PATH.findall(text)]

    assert seen > 20
    assert not findings


def test_every_module_has_a_name_that_says_something() -> None:
    modules = [path for path in tracked() if path.suffix == ".py"]

    assert modules
    assert not [path for path in modules if path.stem in NONDESCRIPT]


def test_modules_stay_small() -> None:
    modules = [path for path in tracked() if path.suffix == ".py" and "tests" not in path.relative_to(ROOT).parts]
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules}

    assert lengths
    assert not {path: length for path, length in lengths.items() if length > 300}


def test_wheel_holds_the_packages_with_their_data(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")

    names = zipfile.ZipFile(wheel).namelist()

    packages = {"onc_mirror", "tasks", "flows", "deployments"}
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == packages
    declared = {f"deployments/{name}" for name in ("prefect.yaml", "automations.yaml", "logging.yml")}
    assert {"onc_mirror/devices.toml", *declared} <= set(names)
    assert [name for name in names if "/migrations/versions/" in name or name.endswith("env.py")]
