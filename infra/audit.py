"""Say which known vulnerabilities there are in what runs in production: `infra/container/requirements.lock`.

    python infra/audit.py [--osv-url URL]

pip-audit asks the database of osv.dev about every version of the lock. Where that does not answer, nothing is known,
and nothing fails: the last line says so. That pip-audit itself finds nothing is not enough to go by, since it passes
over what it could not ask about.

Exit codes: 0 none is known, or nobody could be asked; 1 there are some, or pip-audit failed otherwise.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parent / "container" / "requirements.lock"
SECONDS = 300

# How requests and urllib3 begin what they say when nobody answers, and pip-audit hands on.
_OUT_OF_REACH = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError", "Max retries exceeded")


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--osv-url", help="ask there instead, as pip-audit has it")
    url: str | None = parser.parse_args().osv_url
    program = [str(Path(sys.executable).parent / "pip-audit"), "--requirement", str(LOCK), "--disable-pip"]
    how = ["--vulnerability-service", "osv", "--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    command = [*program, *how, *(["--osv-url", url] if url else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return _not_asked(f"the database took longer than {SECONDS} s")
    if done.stdout.strip():
        return _tell(json.loads(done.stdout)["dependencies"])
    reason = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
    if any(word in done.stderr for word in _OUT_OF_REACH):
        return _not_asked(reason)
    sys.stderr.write(f"{done.stderr}pip-audit failed with exit code {done.returncode}.\n")
    return 1


def _tell(dependencies: list[dict[str, Any]]) -> int:
    unknown = [one for one in dependencies if "skip_reason" in one]
    bad = [one for one in dependencies if one.get("vulns")]
    for one in bad:
        for found in one["vulns"]:
            fixed = ", ".join(found["fix_versions"]) or "no version yet"
            sys.stdout.write(f"{one['name']} {one['version']}: {found['id']}, fixed in {fixed}\n")
    for one in unknown:
        sys.stdout.write(f"{one['name']}: {one['skip_reason']}\n")
    if len(unknown) == len(dependencies):
        return _not_asked("it knows none of them")
    sys.stdout.write(
        f"{len(dependencies) - len(unknown)} of {len(dependencies)} dependencies were looked up;"
        f" {len(bad)} of them have known vulnerabilities.\n"
    )
    return int(bool(bad))


def _not_asked(reason: str) -> int:
    sys.stderr.write(f"{reason}\nNOT AUDITED: the database could not be asked, so nothing is known.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
