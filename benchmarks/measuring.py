"""What a command costs: time, CPU seconds of its whole process tree, and peaks of resident memory."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EVERY_S = 0.05


class CommandFailedError(Exception):
    """A measured command failed, so that its figures mean nothing; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a command took.

    Attributes:
        began_at: Epoch seconds when it was started.
        wall_s: From its start to its end.
        cpu_s: User and system seconds of the process and of all its descendants that it waited for.
        main_peak_bytes: Peak resident memory of the process itself, as the kernel kept it.
        others_peak_bytes: That of its largest descendant; 0 when it had none.
        tree_peak_bytes: Peak of the sum over the process and its descendants, sampled; shared pages count in each.
        stdout: What it printed.
        cpu_seen: CPU seconds of the process itself over epoch seconds, sampled.
    """

    began_at: float
    wall_s: float
    cpu_s: float
    main_peak_bytes: int
    others_peak_bytes: int
    tree_peak_bytes: int
    stdout: str
    cpu_seen: tuple[tuple[float, float], ...]

    def cpu_until_s(self, moment: float) -> float:
        """Return the CPU seconds that the process itself had used at `moment` (epoch seconds), good to a sample."""
        before = max((seen for seen in self.cpu_seen if seen[0] <= moment), default=(self.began_at, 0.0))
        after = min((seen for seen in self.cpu_seen if seen[0] > moment), default=before)
        span = after[0] - before[0]
        return before[1] + (after[1] - before[1]) * ((moment - before[0]) / span if span else 0.0)


def measure(command: Sequence[str], environment: Mapping[str, str], *, exit_codes: Sequence[int] = (0,)) -> Cost:
    """Run a command to its end and say what it took. Nothing else that this process waits for may end meanwhile.

    Raises:
        CommandFailedError: It ended with another exit code than `exit_codes`.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        cpu_before = _cpu_of_ended_children()
        began_at, began = time.time(), time.monotonic()
        process = subprocess.Popen(
            command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True
        )
        sampler = _Sampler(process.pid)
        sampler.start()
        code = process.wait()
        wall_s = time.monotonic() - began
        sampler.stop()
        out.seek(0)
        err.seek(0)
        if code not in exit_codes:
            raise CommandFailedError(f"{' '.join(command)}: exit code {code}\n{out.read()}{err.read()}")
        return Cost(
            began_at=began_at,
            wall_s=wall_s,
            cpu_s=_cpu_of_ended_children() - cpu_before,
            main_peak_bytes=sampler.peaks.pop(process.pid, 0),
            others_peak_bytes=max(sampler.peaks.values(), default=0),
            tree_peak_bytes=sampler.tree_peak,
            stdout=out.read(),
            cpu_seen=tuple(sampler.cpu_seen),
        )


def _cpu_of_ended_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class _Sampler(threading.Thread):
    """Looks at a process and its descendants until it is stopped.

    Attributes:
        peaks: Peak resident memory in bytes, by process id.
        tree_peak: Peak of the sum.
        cpu_seen: Epoch seconds and the CPU seconds of the process itself until then.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(name="sampler", daemon=True)
        self._pid = pid
        self._stopping = threading.Event()
        self.peaks: dict[int, int] = {}
        self.tree_peak = 0
        self.cpu_seen: list[tuple[float, float]] = []

    def run(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            try:
                root = psutil.Process(self._pid)
                used = root.cpu_times()
                self.cpu_seen.append((time.time(), used.user + used.system))
                self._look([root, *root.children(recursive=True)])
            except psutil.NoSuchProcess:
                continue

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def _look(self, tree: Sequence[psutil.Process]) -> None:
        total = 0
        own_command = _read(self._pid, "cmdline")
        for process in tree:
            # Between fork and exec a child still is its parent, whose memory would be counted as its own.
            if process.pid != self._pid and _read(process.pid, "cmdline") == own_command:
                continue
            resident, peak = _memory(process.pid)
            total += resident
            self.peaks[process.pid] = max(peak, self.peaks.get(process.pid, 0))
        self.tree_peak = max(self.tree_peak, total)


def _memory(pid: int) -> tuple[int, int]:
    """Return the resident memory of a process and its peak, in bytes; zeros once it has ended."""
    lines = _read(pid, "status").splitlines()
    values = dict(line.split(":", 1) for line in lines if line.startswith(("VmRSS", "VmHWM")))
    resident, peak = (int(values.get(name, "0 kB").split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return resident, peak


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def machine() -> str:
    """Return a line about this machine: processors, memory, load."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    memory_gb = psutil.virtual_memory().total / 1e9
    return f"{os.cpu_count()} x {model}, {memory_gb:.0f} GB, load {os.getloadavg()[0]:.1f}"
