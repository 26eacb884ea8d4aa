"""The pool of validation processes, and what becomes of a file that one of them dies of."""

from __future__ import annotations

import os
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from onc_mirror.errors import ValidatorUnavailableError
from onc_mirror.model import HDF5_EXTENSIONS, Grade, Verdict
from onc_mirror.validation.process import WorkerGoneError, WorkerProcess
from onc_mirror.validation.reasons import OF_THE_PROCESS, Reason

if TYPE_CHECKING:
    from pathlib import Path


class Validator:
    """Proves files readable, each in a process that it may kill. Threads may share it.

    Guarantee: every file gets a verdict, whatever it does to libhdf5, and costs no other file its own. The raw
    bytes are never altered and no other file is opened.

    Trap: libhdf5 may survive a broken file with a damaged heap, and then die of the next, good one; and a machine
    that is short of memory or time kills or delays a process that has a good one.
    Remedy: a process that met a broken file is not used again, and a file that a process dies of, or has no memory
    or time for, is tried once more in a fresh one, whose verdict stands.
    """

    def __init__(self, timeout_s: float, memory_bytes: int, processes: int) -> None:
        """Start nothing yet: a process starts when a file needs it, and stays for the next.

        Args:
            timeout_s: Seconds that one file may take, from the moment a process has it; there are two at most.
            memory_bytes: Address space of one process.
            processes: How many there may be at a time; further callers wait.
        """
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._closed = False
        self._lock = threading.Lock()
        self._running: set[WorkerProcess] = set()
        # One entry per process that may be: an idle one, or None where none was started. The last is used first.
        self._idle: queue.LifoQueue[WorkerProcess | None] = queue.LifoQueue()
        for _ in range(processes):
            self._idle.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def validate(self, path: Path, name: str, grade: Grade) -> Verdict:
        """Prove the file at `path` up to `grade`.

        Args:
            path: Where it is now.
            name: Its name in the archive, whose extension says what it should be.
            grade: How far to go. The size itself is the download's to check.

        Returns:
            The verdict; its grade is the highest passed even when a higher one was asked for and failed, and it
            has passed when no reason speaks against it. `Reason` lists the reasons. A file that is no HDF5 by its
            extension passes with grade `SIZE`.

        Raises:
            OSError: There is no such file.
            ValidatorUnavailableError: No process can be started or read the file, or the validator was closed.
        """
        if not path.stat().st_size:
            return Verdict(None, Reason.EMPTY_FILE, "The file has no bytes.")
        extension = name.rpartition(".")[2].lower()
        if grade is Grade.SIZE or extension not in HDF5_EXTENSIONS:
            return Verdict(Grade.SIZE)
        return self._prove(os.path.abspath(path), grade)  # noqa: PTH100 - a link stays a link, nothing is looked up

    def close(self) -> None:
        """End all processes. Validations that still run or wait end with `ValidatorUnavailableError`."""
        with self._lock:
            self._closed = True
            for worker in self._running:
                worker.kill()
        idle = []
        with suppress(queue.Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for worker_or_none in idle:
            if worker_or_none is not None:
                self._retire(worker_or_none)
            self._idle.put(None)  # lets those who wait find out

    def _prove(self, path: str, grade: Grade) -> Verdict:
        worker = self._idle.get()
        try:
            worker = worker or self._start()
            verdict = self._ask(worker, path, grade)
            if verdict.reason in OF_THE_PROCESS:
                worker = self._start()
                verdict = self._ask(worker, path, grade)
            return verdict
        finally:
            self._idle.put(None if worker is None or worker.closed else worker)

    def _start(self) -> WorkerProcess:
        with self._lock:
            self._refuse_when_closed()
        worker = WorkerProcess(self._memory_bytes)
        with self._lock:
            self._running.add(worker)
            late = self._closed
        if late:  # closed while it started
            worker.kill()
        return worker

    def _ask(self, worker: WorkerProcess, path: str, grade: Grade) -> Verdict:
        sound = False
        try:
            verdict = worker.ask(path, grade, self._timeout_s)
            sound = verdict.passed
        except WorkerGoneError as gone:
            with self._lock:
                self._refuse_when_closed()
            reason = Reason.VALIDATOR_TIMEOUT if gone.timed_out else Reason.VALIDATOR_CRASHED
            return Verdict(gone.passed, reason, f"The validation process {gone.how}.")
        else:
            return verdict
        finally:
            if not sound:
                self._retire(worker)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise ValidatorUnavailableError("The validator was closed before the file had its verdict.")

    def _retire(self, worker: WorkerProcess) -> None:
        with self._lock:
            self._running.discard(worker)
        worker.close()
