"""What the hourly command imports before it asks the archive: small machines pay for it every hour."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Each takes a third of a second or more to import, and none is needed before the archive is asked.
LATE = {"alembic", "h5py", "pandas", "prefect", "s3fs"}

_LOADED = "import json, sys, {}; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"


@pytest.mark.parametrize("module", ["onc_mirror.cli.mirror", "onc_mirror.mirror", "onc_mirror.hour"])
def test_heavy_libraries_are_not_imported_before_the_archive_is_asked(module: str) -> None:
    command = [sys.executable, "-c", _LOADED.format(module)]

    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    loaded = set(json.loads(ran.stdout))
    assert "onc_mirror" in loaded
    assert not loaded & LATE
