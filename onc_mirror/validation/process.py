"""The parent's end of one worker: start it, ask it, know how it ended, end it.

The worker inherits neither the environment, where the token and the store's keys are, nor open files, nor the
terminal's signals: Ctrl-C must not look like a file that kills its validator.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

from onc_mirror.errors import ValidatorUnavailableError
from onc_mirror.model import Grade, Verdict

_START_TIMEOUT_S = 120.0
_LONGEST_ANSWER = 2**20
_LONGEST_READ = 2**17
_ENDING_S = 5.0
_WORDS = {"ready", "passed", "verdict", "failed"}
_ROOT = Path(__file__).parents[2]

_PASSED_ON = ("LD_LIBRARY_PATH",)
_FIXED = {
    "HDF5_USE_FILE_LOCKING": "FALSE",
    "HDF5_PLUGIN_PRELOAD": "::",  # libhdf5's word for: load no plugins at all
    "HDF5_PLUGIN_PATH": "/nonexistent",
    "OPENBLAS_NUM_THREADS": "1",  # each of its threads reserves address space that counts against the limit
}


class WorkerGoneError(Exception):
    """The worker ended, or was ended for its silence, before a verdict. It does not leave this package.

    Attributes:
        passed: The highest grade that the file had passed by then.
        timed_out: Whether it was ended for its silence.
        how: How it ended, for people.
    """

    def __init__(self, passed: Grade, how: str, *, timed_out: bool) -> None:
        super().__init__(how)
        self.passed = passed
        self.how = how
        self.timed_out = timed_out


class WorkerProcess:
    """A running worker. One thread at a time may ask it; any thread may kill it.

    Attributes:
        closed: Whether it is gone for good.
    """

    def __init__(self, memory_bytes: int) -> None:
        """Start it and wait until it is ready.

        Args:
            memory_bytes: Address space it may take.

        Raises:
            ValidatorUnavailableError: It does not start: the installation, the memory limit or the host is at fault.
        """
        self.closed = False
        self._pending = b""
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, fixed arguments
                [sys.executable, "-P", "-m", "onc_mirror.validation.worker", str(memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
                cwd="/",
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise ValidatorUnavailableError(f"The validation process cannot start: {error.strerror}.") from None
        self._answers = select.poll()
        self._answers.register(_pipe(self._process.stdout), select.POLLIN)
        self._await_ready()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def ask(self, path: str, grade: Grade, timeout_s: float) -> Verdict:
        """Have the file at `path` validated.

        Args:
            path: Absolute.
            grade: How far, at least `OPEN`.
            timeout_s: Seconds for all of it.

        Raises:
            WorkerGoneError: It ended before a verdict, or took too long; it cannot be asked again.
            ValidatorUnavailableError: It cannot read the file at all, which is not the file's fault.
        """
        deadline = time.monotonic() + timeout_s
        passed = Grade.SIZE
        try:
            self._send(path, grade)
            while True:
                answer = self._receive(deadline)
                if "verdict" in answer:
                    grade_passed, reason, detail, found = answer["verdict"]
                    return Verdict(Grade(grade_passed), reason, detail, found)
                if "failed" in answer:
                    raise ValidatorUnavailableError(f"The scratch file cannot be read: {answer['failed']}.")
                passed = Grade(answer["passed"])
        except TimeoutError:
            self.close()
            raise WorkerGoneError(passed, f"gave no verdict within {timeout_s:g} s", timed_out=True) from None
        except (OSError, EOFError):
            raise WorkerGoneError(passed, self._end(), timed_out=False) from None

    def kill(self) -> None:
        """Kill it and nothing more; whoever asks it finds out. Any thread may call this."""
        self._process.kill()

    def close(self) -> None:
        """Kill it if it still runs, and release what belongs to it."""
        self.closed = True
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            _pipe(pipe).close()

    def _await_ready(self) -> None:
        """Wait for its first line; after it nothing comes on standard error, and its closing ends the worker."""
        try:
            self._receive(time.monotonic() + _START_TIMEOUT_S)
        except TimeoutError:
            self.close()
            raise ValidatorUnavailableError(
                f"The validation process did not start within {_START_TIMEOUT_S:g} s."
            ) from None
        except (OSError, EOFError):
            said = _pipe(self._process.stderr).read(_LONGEST_ANSWER).decode("utf-8", "replace").split("\n")
            last = next((line for line in reversed(said) if line.strip()), "")
            raise ValidatorUnavailableError(
                f"The validation process does not start, it {self._end()} ({last}). Is h5py installed, and the memory"
                " limit for validation (ONC_MIRROR_VALIDATION_MEMORY) large enough?"
            ) from None

    def _send(self, path: str, grade: Grade) -> None:
        _pipe(self._process.stdin).write(json.dumps({"path": path, "grade": grade}).encode() + b"\n")

    def _receive(self, deadline: float) -> dict[str, Any]:
        """Return its next line.

        Raises:
            TimeoutError: None came before the deadline.
            EOFError: It ended, or what it says makes no sense.
        """
        while b"\n" not in self._pending:
            wait_ms = max(0.0, deadline - time.monotonic()) * 1000
            if not self._answers.poll(wait_ms):
                raise TimeoutError
            read = _pipe(self._process.stdout).read(_LONGEST_READ)
            if not read or len(self._pending) > _LONGEST_ANSWER:
                raise EOFError
            self._pending += read
        line, _, self._pending = self._pending.partition(b"\n")
        try:
            answer = json.loads(line)
        except ValueError:
            raise EOFError from None
        if not isinstance(answer, dict) or not answer.keys() <= _WORDS:
            raise EOFError
        return answer

    def _end(self) -> str:
        """Close it, giving it a moment to end by itself, and return how it ended."""
        try:
            code = self._process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            code = None
        self.close()
        if code is None:
            return "stopped talking"
        return f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    if end is None:
        raise TypeError("Popen was not asked for this pipe.")
    return end


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _environment() -> dict[str, str]:
    """All that the worker inherits. `_ROOT` first: a clone must not run the worker of an installed copy."""
    inherited = {name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)}
    path = [str(_ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return inherited | _FIXED | {"PYTHONPATH": os.pathsep.join(path)}
