"""Small disks: real ones, in memory, that can be full."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    """Mount a disk of that size, where that is allowed; skip the test where it is not."""
    path.mkdir(exist_ok=True)
    mounted = _mount(f"size={size}", path)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield path
    finally:
        subprocess.run(["/bin/umount", "--lazy", path], check=True)


def remount(path: Path, options: str) -> None:
    """Give a mounted disk another size, or allow no writing to it."""
    _mount(f"remount,{options}", path).check_returncode()


def _mount(options: str, path: Path) -> subprocess.CompletedProcess[bytes]:
    command = ["/bin/mount", "-t", "tmpfs", "-o", options, "onc-mirror-test", str(path)]
    return subprocess.run(command, capture_output=True, check=False)
