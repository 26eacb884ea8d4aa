"""Starting, watching and stopping the processes of a sandbox.

Every part runs behind a guard, in a session of its own: a Ctrl-C in the terminal reaches only the sandbox itself,
which then stops its parts in order, and a kill -9 of the sandbox ends them as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import httpx

from infra.sandbox import guard
from infra.sandbox.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SHOWN_LINES = 15
POLL_S = 0.1

# The guard needs its grace period and a moment to kill what is left.
STOP_S = guard.GRACE_S + 3


class PartError(Exception):
    """A part of the sandbox does not do what it is there for; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a part is started.

    Attributes:
        name: The part, as people call it.
        module: Python module to run with `-m`.
        arguments: Its arguments.
        health_url: Answers, not with a 5xx, once the part can be used; None: nothing to wait for.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    health_url: str | None = None


class Part:
    """A started part.

    Attributes:
        name: The part, as people call it.
    """

    def __init__(self, command: Command, *, environment: Mapping[str, str], log: Path, client: httpx.Client) -> None:
        self.name = command.name
        self._health_url = command.health_url
        self._client = client
        self._log = log
        self._began = time.monotonic()
        guarded = [sys.executable, "-m", command.module, *command.arguments]
        with log.open("wb") as output:
            self._guard = subprocess.Popen(
                [sys.executable, "-m", guard.__name__, str(os.getpid()), *guarded],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check_alive(self) -> None:
        """Do nothing while the part runs.

        Raises:
            PartError: It has ended.
        """
        code = self._guard.poll()
        if code is not None:
            raise PartError(f"The {self.name} ended with exit code {code}.\n{self.tail()}")

    def is_healthy(self) -> bool:
        """Say whether the part answers now."""
        if self._health_url is None:
            return True
        try:
            return not self._client.get(self._health_url).is_server_error
        except httpx.TransportError:
            return False

    def finish(self, timeout_s: float) -> None:
        """Wait until a part that has an end of its own has reached it.

        Raises:
            PartError: It failed, or took too long.
        """
        try:
            code = self._guard.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise PartError(f"The {self.name} has not finished after {timeout_s:.0f} s.\n{self.tail()}") from None
        if code != 0:
            raise PartError(f"The {self.name} failed with exit code {code}.\n{self.tail()}")

    def tail(self) -> str:
        """Return the last lines of the log, and where the rest is."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN_LINES:]
        return "\n".join([f"The end of {self._log}:", *(f"    {line}" for line in lines or ["(empty)"])])

    def age_s(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began

    def ask_to_stop(self) -> None:
        """Have the guard end the part; returns at once."""
        if self._guard.poll() is None:
            self._guard.terminate()

    def wait_until_stopped(self) -> None:
        """Wait for the end of the part, and force it when the guard does not manage."""
        try:
            self._guard.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()


class Parts:
    """All parts of a sandbox; none of them outlives the `with` block."""

    def __init__(self, environment: Mapping[str, str], logs: Path, say: Callable[[str], None]) -> None:
        self._environment = environment
        self._logs = logs
        self._say = say
        self._client = httpx.Client(timeout=2, trust_env=False)
        self._running: list[Part] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._say("stopping ...")
        began = time.monotonic()
        # The last one first and alone: the worker still needs its server, to say what became of its run.
        for batch in (self._running[-1:], self._running[:-1]):
            for part in batch:
                part.ask_to_stop()
            for part in batch:
                part.wait_until_stopped()
        self._say(f"everything has stopped after {time.monotonic() - began:.1f} s")

    def start(self, command: Command) -> Part:
        """Start a part; does not wait for it."""
        part = self._begin(command)
        self._running.append(part)
        return part

    def start_again(self, command: Command) -> Part:
        """Start a part that has ended once more, in its place in the order in which all are stopped."""
        (place,) = (number for number, part in enumerate(self._running) if part.name == command.name)
        self._running[place].wait_until_stopped()
        self._running[place] = self._begin(command)
        return self._running[place]

    def _begin(self, command: Command) -> Part:
        log = self._logs / f"{command.name.replace(' ', '-').lower()}.log"
        return Part(command, environment=self._environment, log=log, client=self._client)

    def run(self, command: Command, timeout_s: float) -> None:
        """Run a part that has an end of its own, to that end.

        Raises:
            PartError: It failed, or took too long.
        """
        part = self.start(command)
        part.finish(timeout_s)
        self._running.remove(part)

    def check_alive(self) -> None:
        """Do nothing while all parts run.

        Raises:
            PartError: One has ended.
        """
        for part in self._running:
            part.check_alive()

    def tail(self, name: str) -> str:
        """Return the last lines of the log of the part called `name`, and where the rest is."""
        return next(part.tail() for part in self._running if part.name == name)

    def wait_until_healthy(self, part: Part, timeout_s: float) -> None:
        """Wait until `part` answers.

        Raises:
            PartError: It does not answer in time, or a part has ended.
        """
        while not part.is_healthy():
            self.check_alive()
            if part.age_s() > timeout_s:
                raise PartError(
                    f"The {part.name} does not answer after {timeout_s:.0f} s. If its log names no error, the machine"
                    f" is busy: try again.\n{part.tail()}"
                )
            time.sleep(POLL_S)
