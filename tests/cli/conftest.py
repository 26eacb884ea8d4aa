from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from onc_mirror.cli import main
from tests.support.console import Answer, Console

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.archive import RunningArchive


@pytest.fixture
def console(archive: RunningArchive, tmp_path: Path) -> Console:
    """A mirror of the archive into a folder, impatient with faults."""
    (tmp_path / "bucket").mkdir()
    return Console(
        {
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "ONC_TOKEN": archive.token,
            "ONC_MIRROR_ARCHIVE_URL": archive.url,
            "ONC_MIRROR_STORE_URL": f"file://{tmp_path / 'bucket'}",
            "ONC_MIRROR_STATE_DIR": str(tmp_path / "state"),
            "ONC_MIRROR_CONNECT_TIMEOUT_S": "10",
            "ONC_MIRROR_STALL_TIMEOUT_S": "60",
            "ONC_MIRROR_QUICK_RETRIES": "0",
            "ONC_MIRROR_RETRY_DELAYS_S": "0.05",
        },
        tmp_path,
    )


@pytest.fixture
def in_process(
    console: Console, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """As `console.run` without a process, for what a process would show no better."""

    def run(*arguments: str, **variables: str | None) -> Answer:
        with monkeypatch.context() as patch:
            for name in ("ONC_TOKEN", *console.environment):
                patch.delenv(name, raising=False)
            for name, value in {**console.environment, **variables}.items():
                if value is not None:
                    patch.setenv(name, value)
            code = main.run(list(arguments))
        said = capfd.readouterr()
        return console.checked(Answer(code, said.out, said.err))

    return run
