"""Write the locks, or with `--check` say whether they are what `pyproject.toml` resolves to.

    python infra/lock.py [--check] [--upgrade]

`requirements.lock` holds every version with its hashes for every Python from 3.11 on, and names no package index.
`infra/bootstrap.lock` is its entry for uv, which installs the rest, `infra/container/build.lock` has those of what
builds a wheel, and `infra/container/requirements.lock` is what runs in production: no developers' tools, no sandbox.

Where no package index answers, `--check` compares the lock with what `pyproject.toml` names itself, and says so.
"""

from __future__ import annotations

import argparse
import difflib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from itertools import islice
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
BOOTSTRAP = ROOT / "infra" / "bootstrap.lock"
IMAGE = ROOT / "infra" / "container" / "requirements.lock"
BUILD = ROOT / "infra" / "container" / "build.lock"
BUILDERS = ("hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers")
# What the image has beyond the dependencies themselves.
IMAGE_EXTRAS = ("redis",)
SHOWN_LINES = 40

# uv's exit code when it failed itself, as without a network; 1 means that the versions cannot be had together.
_UV_FAILED = 2


def main() -> int:
    """Return the exit code: 1 when a lock is stale or could not be resolved."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, exit with 1 when a lock is stale")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / LOCK.name
        if LOCK.exists() and not options.upgrade:
            shutil.copy(LOCK, fresh)  # uv prefers the versions that are already there
        resolved = _compile(fresh, "--all-extras")
        if resolved.returncode == _UV_FAILED and options.check and LOCK.exists():
            sys.stderr.write(resolved.stderr)
            return _check_alone()
        if resolved.returncode != 0:
            sys.stderr.write(resolved.stderr + "The lock cannot be resolved. Is a package index within reach?\n")
            return 1
        text = fresh.read_text(encoding="utf-8")
        if _compile(fresh, *(f"--extra={name}" for name in IMAGE_EXTRAS)).returncode != 0:
            sys.stderr.write("The lock of the container image cannot be resolved.\n")
            return 1
        wanted = {LOCK: text, IMAGE: fresh.read_text(encoding="utf-8"), **_parts(text)}
    return _check(wanted) if options.check else _write(wanted)


def _compile(target: Path, *extras: str) -> subprocess.CompletedProcess[str]:
    how = [*extras, "--universal", "--python-version", "3.11", "--generate-hashes"]
    silent = ["--no-header", "--no-emit-index-url", "--quiet"]
    uv = Path(sys.executable).parent / "uv"
    command = [str(uv), "pip", "compile", "pyproject.toml", *how, *silent, "--output-file", str(target)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _check_alone() -> int:
    """Check what needs no package index: every version that `pyproject.toml` asks for, and the parts of the lock."""
    text = LOCK.read_text(encoding="utf-8")
    image = IMAGE.read_text(encoding="utf-8")
    problems = [f"{LOCK.name} is stale: {problem}" for problem in _unmet(text)]
    problems += [f"{IMAGE.relative_to(ROOT)} is stale: {problem}" for problem in _unmet(image, IMAGE_EXTRAS)]
    strangers = sorted(set(_pins(image)) - set(_pins(text)))
    problems += [f"{IMAGE.relative_to(ROOT)} is stale: {name} is not as in {LOCK.name}" for name, _ in strangers]
    sys.stderr.writelines(f"{problem}. Run `make lock`.\n" for problem in problems)
    if problems or _check(_parts(text)):
        return 1
    sys.stderr.write(
        "The lock could not be resolved anew, see above. It has what pyproject.toml asks for, so it passes.\n"
    )
    return 0


def _pins(lock: str) -> list[tuple[str, tuple[str, ...]]]:
    """Every version with its hashes, without what it is there for."""
    entries = re.findall(r"^([\w.-]+==[^\s;]+).*((?:\n    --hash=\S+(?: \\)?)+)", lock, re.MULTILINE)
    return [(name, tuple(re.findall(r"--hash=(\S+)", hashes))) for name, hashes in entries]


def _unmet(lock: str, extras: tuple[str, ...] | None = None) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    groups = [project["dependencies"], *(optional[name] for name in extras or optional)]
    pinned: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE):
        pinned.setdefault(canonicalize_name(name), []).append(version)
    problems = []
    for wanted in sorted({text for group in groups for text in group}):
        try:
            requirement = Requirement(wanted)
        except InvalidRequirement:
            problems.append(f"pyproject.toml asks for {wanted}, which is no requirement")
            continue
        found = pinned.get(canonicalize_name(requirement.name), [])
        if not found or not all(requirement.specifier.contains(version, prereleases=True) for version in found):
            problems.append(f"pyproject.toml asks for {wanted}, the lock has {', '.join(found) or 'none'}")
    return problems


def _parts(lock: str) -> dict[Path, str]:
    return {BOOTSTRAP: _entry(lock, "uv"), BUILD: "".join(_entry(lock, name) for name in BUILDERS)}


def _entry(lock: str, name: str) -> str:
    found = re.search(rf"^{name}==.*\n(?:    --hash=.*\n)+", lock, re.MULTILINE)
    if found is None:
        raise ValueError(f"The lock has no entry for {name}.")
    return found[0]


def _check(wanted: dict[Path, str]) -> int:
    stale = 0
    for path, text in wanted.items():
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        name = str(path.relative_to(ROOT))
        if present != text:
            stale = 1
            changes = difflib.unified_diff(present.splitlines(), text.splitlines(), name, "resolved now", lineterm="")
            sys.stderr.write("\n".join(islice(changes, SHOWN_LINES)) + f"\n{name} is stale: run `make lock`.\n")
    return stale


def _write(wanted: dict[Path, str]) -> int:
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
