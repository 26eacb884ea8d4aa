"""Runs of `onc-mirror` in processes that are killed with SIGKILL: at a named boundary, or from outside."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.support.effects import Boundary
from tests.support.mother import Order
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ROOT = Path(__file__).parents[2]
_RUN_TIMEOUT_S = 120.0
KILLED = -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended.

    Attributes:
        code: Its exit code, `KILLED` when it was.
        out: What it said on standard output.
        err: What it said on standard error.
    """

    code: int
    out: str
    err: str


class Mother:
    """Forks the processes; one at a time. See `tests.support.mother`."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._child: int | None = None

    @property
    def said(self) -> Path:
        """Where a process writes its standard output."""
        return self._folder / "said"

    def start(  # noqa: PLR0913 - what a process is made of
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        ahead_s: float = 0.0,
        kill: Boundary | None = None,
        trace: Path | None = None,
        folders: Mapping[str, str] | None = None,
    ) -> None:
        """Start a process. For the arguments see `mother.Order`."""
        order = Order(
            arguments=list(arguments),
            environment=dict(environment),
            said=str(self.said),
            ahead_s=ahead_s,
            kill=None if kill is None else str(kill),
            trace=None if trace is None else str(trace),
            folders=dict(folders or {}),
        )
        self._child = self._tell(asdict(order))

    def kill(self, *, with_children: bool) -> None:
        """Kill the process, alone or with all that it has started."""
        if self._child is None:
            raise RuntimeError("There is no process to kill.")
        victims = [psutil.Process(self._child)]
        if with_children:
            victims += victims[0].children(recursive=True)
        for victim in victims:
            with suppress(psutil.NoSuchProcess):  # a validation process of a run that has just ended
                victim.kill()

    def kill_a_child(self) -> None:
        """Kill the first process that the process starts, as soon as it has; not the process itself.

        Raises:
            TimeoutError: It has started none.
        """
        parent = psutil.Process(self._child)
        wait_until(lambda: bool(parent.children()))
        parent.children()[0].kill()

    def wait(self) -> End:
        """Wait for its end."""
        code = self._tell("wait")
        self._child = None
        return End(code, self.said.read_text(), Path(f"{self.said}.err").read_text())

    def _tell(self, order: object) -> int:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("The process that forks has no pipes.")
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], _RUN_TIMEOUT_S)[0]:
            if self._child is not None:
                os.kill(self._child, signal.SIGABRT)
            raise TimeoutError(f"{order!r} is not done after {_RUN_TIMEOUT_S:g} s.")
        if not (answer := self._process.stdout.readline()):
            raise RuntimeError("What forks the processes has ended; see above.")
        return int(answer)


@contextmanager
def running_mother(folder: Path) -> Iterator[Mother]:
    """Start what forks; it ends with the block, or when this process does."""
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.mother"],
        cwd=_ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Mother(process, folder)


def read_trace(path: Path) -> list[Boundary]:
    """Read the boundaries that a process has passed."""
    return [Boundary.parse(line) for line in path.read_text().splitlines()]


def wait_until_gone(memory_bytes: int) -> None:
    """Wait until no validation process with this limit on its memory is left.

    Raises:
        TimeoutError: One is, although nobody is there any more who could want its verdict.
    """
    mark = ["onc_mirror.validation.worker", str(memory_bytes)]
    try:
        wait_until(lambda: not any(_command(process)[-2:] == mark for process in psutil.process_iter()))
    except TimeoutError:
        raise TimeoutError("Validation processes outlive the run that has started them.") from None


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
