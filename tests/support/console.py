"""The console script as people run it: a process of its own, with an environment of its own."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SCRIPT = Path(sys.executable).with_name("onc-mirror")
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said.

    Attributes:
        code: Its exit code.
        out: Its standard output; in a terminal, standard error as well.
        err: Its standard error.
    """

    code: int
    out: str
    err: str = ""

    @property
    def json(self) -> Any:
        """Its standard output, which is JSON and nothing else."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Console:
    """Somebody who types commands.

    Attributes:
        environment: The variables that are set.
        folder: Where the state and the store are.
    """

    environment: dict[str, str]
    folder: Path

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.folder / "state"

    @property
    def scratch(self) -> list[Path]:
        """What runs have in the scratch folder."""
        return [path for path in (self.state / "scratch").glob("**/*") if path.name != "onc-mirror-scratch"]

    @property
    def mirrored(self) -> set[str]:
        """Names of the files in the store."""
        return {path.name for path in (self.folder / "bucket" / "raw").glob("**/*") if path.is_file()}

    def run(self, *arguments: str, **variables: str | None) -> Answer:
        """Run a command to its end; a variable that is None is not set."""
        with self.start(*arguments, variables=variables) as process:
            out, err = process.communicate(timeout=TIMEOUT_S)
        return self.checked(Answer(process.returncode, out, err))

    @contextmanager
    def start(
        self,
        *arguments: str,
        under: Sequence[str] = (),
        ignoring: signal.Signals | None = None,
        variables: Mapping[str, str | None] = MappingProxyType({}),
    ) -> Iterator[subprocess.Popen[str]]:
        """Start a command, with a signal switched off or not; it is killed when it outlives the block.

        Args:
            arguments: Of the command.
            under: A program that runs it, with its own arguments.
            ignoring: The signal that is switched off.
            variables: As of `run`.
        """
        with _heeded(signal.SIGINT), _heeded(signal.SIGHUP) if ignoring is None else _ignored(ignoring):
            process = subprocess.Popen(
                [*under, SCRIPT, *arguments],
                env=self._environment(variables),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def run_in_terminal(self, *arguments: str, columns: int, **variables: str | None) -> Answer:
        """Run a command in a terminal of so many columns."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        environment = self._environment({"TERM": "xterm", **variables})
        process = subprocess.Popen(
            [SCRIPT, *arguments], env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        said = b""
        with process, suppress(OSError):  # how Linux says that the other end is closed
            while piece := os.read(ours, 2**16):
                said += piece
        os.close(ours)
        return self.checked(Answer(process.returncode, said.decode().replace("\r\n", "\n")))

    def checked(self, answer: Answer) -> Answer:
        """Return `answer`, which holds neither the token nor a traceback."""
        said = answer.out + answer.err
        assert self.environment["ONC_TOKEN"] not in said
        assert "Traceback" not in said, said
        return answer

    def _environment(self, variables: Mapping[str, str | None]) -> dict[str, str]:
        chosen = {**self.environment, **variables}
        return {name: value for name, value in chosen.items() if value is not None}


def _heeded(number: signal.Signals) -> AbstractContextManager[None]:
    """Let what is started here heed a signal, also when whoever runs the tests has switched it off."""
    return _handled(number, signal.default_int_handler)


def _ignored(number: signal.Signals) -> AbstractContextManager[None]:
    return _handled(number, signal.SIG_IGN)


@contextmanager
def _handled(number: signal.Signals, handler: Any) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
