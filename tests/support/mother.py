"""Has everything imported, and forks a process that runs `onc-mirror` whenever it is told to.

    python -m tests.support.mother

A mirror takes seconds to import and a kill test runs hundreds. Each of its runs is a process of its own, with the
console script's own entry point, environment and end; only the imports are shared.

It is told on standard input, one JSON object a line, and answers each with one on standard output: an `Order` with
the process id, `"wait"` with the exit code of the process last started (-9 when it was killed).
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from onc_mirror import mirror
from onc_mirror.cli import main
from tests.support.effects import Boundary, Tripwire, watch

if TYPE_CHECKING:
    from datetime import datetime

# What the console script imports late, of the mirror and of its libraries. Its commands stay out: they take what
# opens the mirror, which is given another clock first.
_LATE = (
    "onc_mirror.cli.options",
    "onc_mirror.cli.progress",
    "onc_mirror.cli.tables",
    "onc_mirror.hour",
    "onc_mirror.run.plans",
    "onc_mirror.ledger.entries",
    "onc_mirror.ledger.migrating",
    "onc_mirror.store.s3_opening",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
)


@dataclass(frozen=True, slots=True)
class Order:
    """A process to start.

    Attributes:
        arguments: Of the console script.
        environment: All the variables that it has.
        said: File for what it says on standard output; what it says on standard error goes behind it.
        ahead_s: Seconds by which its clock is ahead of the machine's.
        kill: The boundary at which it kills itself, or None.
        trace: File for the boundaries that it passes, or None.
        folders: See `effects.watch`.
    """

    arguments: list[str]
    environment: dict[str, str]
    said: str
    ahead_s: float
    kill: str | None
    trace: str | None
    folders: dict[str, str]


def serve() -> None:
    """Follow orders until there are no more."""
    for module in _LATE:
        importlib.import_module(module)
    if len(threading.enumerate()) > 1:
        raise RuntimeError("What was imported has started threads; a fork would lose them.")
    child = 0
    for line in sys.stdin:
        told = json.loads(line)
        if told == "wait":
            _, status = os.waitpid(child, 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            child = answer = _start(Order(**told))
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


def _start(order: Order) -> int:
    sys.stdout.flush()
    child = os.fork()
    if not child:
        _run(order)
    return child


def _run(order: Order) -> NoReturn:
    code = 70
    try:
        os.setsid()
        _redirect(order.said)
        os.environ.clear()
        os.environ.update(order.environment)
        mirror.open_mirror = functools.partial(mirror.open_mirror, clock=_clock(order.ahead_s))
        kill = None if order.kill is None else Boundary.parse(order.kill)
        watch(Tripwire(kill, None if order.trace is None else Path(order.trace)), order.folders)
        main.main(order.arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _redirect(said: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    err = os.open(f"{said}.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    for given, wanted in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(given, wanted)
        os.close(given)


def _clock(ahead_s: float) -> functools.partial[datetime]:
    ahead = timedelta(seconds=ahead_s)
    return functools.partial(_now, ahead)


def _now(ahead: timedelta) -> datetime:
    return mirror.utc_now() + ahead


if __name__ == "__main__":
    serve()
