"""The process that opens what others wrote: `python -m onc_mirror.validation.worker MEMORY_BYTES`.

One JSON line in for each file, `{"path", "grade"}`. JSON lines out: `{"ready"}` once, then for each file
`{"passed"}` per grade and at last `{"verdict"}`, or `{"failed"}` when the file cannot be read by this process.

Its limits are set before it meets the first file: address space, no core dump, and no writing to any file, so that
whatever a file makes libhdf5 do, no raw byte changes. (A limit of one open file would keep libhdf5 from opening a
second one too, but Python's own late imports, such as of a codec, then fail and look like a broken file.)
It ends when its parent does, however that ends: by the end of standard input when idle, by SIGIO when busy.
PR_SET_PDEATHSIG would fire when the thread ends that started it; a Python thread that waits for the end of
input would not run while libhdf5 hangs.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import select
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from onc_mirror.model import Grade

if TYPE_CHECKING:
    from collections.abc import Iterator


def main(memory_bytes: int) -> None:
    """Validate files until standard input ends.

    Args:
        memory_bytes: Address space that this process may take.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for the parent, whose end then ends this process
        signal.signal(number, signal.SIG_IGN)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, memory_bytes)
    from onc_mirror.validation.inspection import inspect  # noqa: PLC0415 - its imports count too

    answers = _take_standard_output()
    _limit(resource.RLIMIT_FSIZE, 0)

    def answer(**message: Any) -> None:
        print(json.dumps(message), file=answers, flush=True)

    answer(ready=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            with _ending_with_parent():
                verdict = inspect(
                    request["path"], Grade(request["grade"]), memory_bytes, lambda grade: answer(passed=grade)
                )
        except OSError as error:
            answer(failed=error.strerror or str(error))
        else:
            answer(verdict=[verdict.grade, verdict.reason, verdict.detail, verdict.found])


def _limit(which: int, most: int) -> None:
    """Lower a limit for good; a lower one that is there already stays."""
    _, hard = resource.getrlimit(which)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (bound, bound))


def _take_standard_output() -> TextIO:
    """Keep standard output for answers alone; what libraries print to it or to standard error is dropped."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())
    os.close(nowhere)
    return answers


@contextmanager
def _ending_with_parent() -> Iterator[None]:
    """Let the kernel end this process, at work in whatever library, when the parent's end of the pipe closes.

    The parent writes nothing to it while it waits for a verdict, so its closing is all that can raise SIGIO,
    whose default action is to end the process.
    """
    pipe = sys.stdin.fileno()
    flags = fcntl.fcntl(pipe, fcntl.F_GETFL)
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETFL, flags | os.O_ASYNC)
    closed = select.poll()
    closed.register(pipe, 0)
    if closed.poll(0):  # it closed before the kernel was asked to tell
        sys.exit()
    try:
        yield
    finally:
        fcntl.fcntl(pipe, fcntl.F_SETFL, flags)


if __name__ == "__main__":
    main(int(sys.argv[1]))
