"""Which process a run lives in, told so that another process of the same machine can see that it has ended.

A number alone is no proof: it is given away again, and each container counts its own. So a process is named with
when it began, its machine's boot and its namespace of process numbers, as Linux tells them under `/proc` (proc(5),
pid_namespaces(7)). Elsewhere no process has a name, and the lease of a dead run has to end by itself.
"""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_BEGAN_AT_FIELD = 19
"""Of the fields of `/proc/<number>/stat` after the name of the command, which ends with the last `)`."""

_ENDED = frozenset({"Z", "X", "x"})
"""States of a process that has ended and whose parent has not heard of it yet."""


def this_process() -> str | None:
    """Name this process, None where that cannot be done."""
    return _name(os.getpid())


def has_ended(process: str) -> bool:
    """Whether a process that was named so has ended; False when that cannot be known from here."""
    here = _world()
    world, _, number = process.rpartition("/")[0].rpartition("/")
    if here is None or world != here or not number.isdecimal():
        return False
    return _name(int(number)) != process


def _name(number: int) -> str | None:
    world = _world()
    try:
        fields = (_PROC / str(number) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    if world is None or len(fields) <= _BEGAN_AT_FIELD or fields[0] in _ENDED:
        return None
    return f"{world}/{number}/{fields[_BEGAN_AT_FIELD]}"


def _world() -> str | None:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return None
