from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class QuickConsole(Console):
    """The same without processes, for what a process would show no better. It keeps pytest's handlers of the log.

    Attributes:
        patch: Sets the variables.
        said: What was written.
    """

    patch: pytest.MonkeyPatch
    said: pytest.CaptureFixture[str]

    def run(self, *arguments: str, **variables: str | None) -> Answer:
        """Run a command to its end; a variable that is None is not set."""
        self.said.readouterr()
        with self.patch.context() as patch:
            for name in ("ONC_TOKEN", *self.environment):
                patch.delenv(name, raising=False)
            for name, value in {**self.environment, **variables}.items():
                if value is not None:
                    patch.setenv(name, value)
            code = main.run(list(arguments))
        said = self.said.readouterr()
        return self.checked(Answer(code, said.out, said.err))


@pytest.fixture
def quick_console(
    console: Console, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> QuickConsole:
    return QuickConsole(console.environment, console.folder, monkeypatch, capfd)


@pytest.fixture
def in_process(quick_console: QuickConsole) -> Callable[..., Answer]:
    """As `console.run` without a process."""
    return quick_console.run
