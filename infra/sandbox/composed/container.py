"""One container of a service, as a process with its children, behind a guard."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from infra.sandbox import guard

if TYPE_CHECKING:
    from pathlib import Path

    from infra.sandbox.composed.images import Program

_SHOWN_LINES = 20
_STOP_S = guard.GRACE_S + 3
_RUN_S = 60.0


class Container:
    """A container that has been started.

    Attributes:
        name: Service and number.
        log: What it and its children say.
    """

    def __init__(self, name: str, program: Program, folder: Path) -> None:
        self.name = name
        self.log = folder / "log"
        self._program = program
        with self.log.open("ab") as output:
            self._guard = subprocess.Popen(
                [sys.executable, "-m", guard.__name__, str(os.getpid()), *program.command],
                cwd=program.folder,
                env=program.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """How it has ended; None while it runs."""
        return self._guard.poll()

    def is_healthy(self) -> bool:
        """Run its health check."""
        done = self.run(*self._program.health)
        return done.returncode == 0

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one more command in it, as `docker compose exec` does: with its variables, without its entry point."""
        return subprocess.run(
            command,
            cwd=self._program.folder,
            env=self._program.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_RUN_S,
            check=False,
        )

    def processes(self) -> list[psutil.Process]:
        """Return what runs in it now, parents first."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self._guard.pid).children(recursive=True)
        return []

    def kill(self) -> None:
        """Kill all that runs in it with SIGKILL, as when its machine loses power."""
        found = self.processes()
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=_STOP_S)
        self._guard.wait(_STOP_S)

    def ask_to_stop(self) -> None:
        """Have it end; returns at once."""
        if self._guard.poll() is None:
            self._guard.terminate()

    def wait_until_stopped(self) -> None:
        """Wait for its end, and force it when the guard does not manage."""
        try:
            self._guard.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()

    def tail(self) -> str:
        """Return the end of what it said."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_LINES:]
        return "\n".join(lines or ["(nothing)"])
