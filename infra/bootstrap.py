"""Create or refresh `.venv` from the hash-pinned lock. Standard library only: it runs before anything is installed.

    python3 infra/bootstrap.py

Any Python from 3.11 on that has pip will do; `venv` needs no `ensurepip`, which Debian packages apart. pip puts
uv, at the version and hashes of `infra/bootstrap.lock`, into the new environment; uv installs the rest. Which
package index is asked is pip's and uv's own business: their usual variables and files hold.

The syntax stays readable for older Pythons, so that they get a sentence and not a traceback.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)


def main() -> int:
    """Bring `.venv` up to date and return the exit code: 2 for an unusable Python, 1 for a failed step."""
    if sys.version_info < OLDEST:
        return _refuse("onc-mirror needs Python 3.11 or newer; this is {}.".format(sys.version.split()[0]))  # noqa: UP032 - older Pythons have to read it
    began = time.monotonic()
    if _python_changed():
        _say("removing the .venv of another Python")
        shutil.rmtree(VENV)
    if not PYTHON.exists() and not _run("creating .venv", [sys.executable, "-m", "venv", "--without-pip", str(VENV)]):
        return _refuse("This Python cannot create virtual environments (on Debian: apt-get install python3-venv).")
    uv = VENV / "bin" / "uv"
    if not _has_uv(uv) and not _run("fetching uv", _uv_install()):
        return _refuse(
            "pip could not install uv from infra/bootstrap.lock. Is pip there (on Debian: apt-get install"
            " python3-pip), and can it reach its package index?"
        )
    sync = [str(uv), "pip", "sync", "--python", str(PYTHON), "--quiet"]
    install = [str(uv), "pip", "install", "--python", str(PYTHON), "--quiet"]
    steps = {
        "installing requirements.lock": [*sync, "--require-hashes", str(ROOT / "requirements.lock")],
        "installing onc-mirror": [*install, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
    }
    for title, command in steps.items():
        if not _run(title, command):
            return 1
    _say(f".venv is ready after {time.monotonic() - began:.1f} s")
    return 0


def _python_changed() -> bool:
    """Say whether `.venv` was made by a Python that is gone or has another minor version."""
    if not VENV.exists():
        return False
    if not PYTHON.exists():
        return True
    asked = subprocess.run(
        [str(PYTHON), "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=False
    )
    return asked.stdout.split() != [str(part) for part in sys.version_info[:2]]


def _uv_install() -> list[str]:
    lock = str(ROOT / "infra" / "bootstrap.lock")
    quiet = ["--quiet", "--disable-pip-version-check"]
    return [sys.executable, "-m", "pip", "--python", str(PYTHON), "install", *quiet, "--require-hashes", "-r", lock]


def _has_uv(uv: Path) -> bool:
    if not uv.exists():
        return False
    locked = (ROOT / "infra" / "bootstrap.lock").read_text(encoding="utf-8").split()[0].partition("==")[2]
    found = subprocess.run([str(uv), "--version"], capture_output=True, text=True, check=False)
    return found.stdout.split()[1:2] == [locked]


def _run(title: str, command: list[str]) -> bool:
    _say(title + " ...")
    began = time.monotonic()
    environment = {**os.environ, "VIRTUAL_ENV": str(VENV)}
    done = subprocess.run(command, env=environment, check=False).returncode == 0
    _say(f"{title}: {'done' if done else 'failed'} after {time.monotonic() - began:.1f} s")
    return done


def _refuse(reason: str) -> int:
    others = [name for name in ("python3.14", "python3.13", "python3.12", "python3.11") if shutil.which(name)]
    hint = "make PYTHON={}".format(others[0]) if others else "make PYTHON=/path/to/python3.11"  # noqa: UP032 - older Pythons have to read it
    sys.stderr.write("{} Another Python can be named: {}\n".format(reason, hint))  # noqa: UP032 - older Pythons have to read it
    return 2


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
