"""The process that opens what others wrote: `python -m onc_mirror.validation.worker MEMORY_BYTES`.

One JSON line in for each file, `{"path", "grade"}`. JSON lines out: `{"ready"}` once, then for each file
`{"passed"}` per grade and at last `{"verdict"}`, or `{"failed"}` when the file cannot be read by this process.

Its limits are set before it meets the first file: address space, no core dump, and no writing to any file, so that
whatever a file makes libhdf5 do, no raw byte changes. (A limit of one open file would keep libhdf5 from opening a
second one too, but Python's own late imports, such as of a codec, then fail and look like a broken file.)
It ends when its parent does, however that ends: by SIGIO, when the parent's end of standard error closes.
PR_SET_PDEATHSIG would fire when the thread ends that started it; a Python thread that waits for the end of
input would not run while libhdf5 hangs; SIGIO for standard input comes for the parent's own request, too, when the
kernel is late with it (9 times in 680,000 requests, on a busy machine).
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import sys
from typing import Any, TextIO

from onc_mirror.model import Grade


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

    _end_with_parent()
    answers = _take_standard_output()
    _limit(resource.RLIMIT_FSIZE, 0)

    def answer(**message: Any) -> None:
        print(json.dumps(message), file=answers, flush=True)

    answer(ready=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
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


def _end_with_parent() -> None:
    """Let the kernel end this process, at work in whatever library, when the parent's end of standard error closes.

    The parent never reads there from a process that is ready, so its closing is all that can raise SIGIO, whose
    default action is to end the process. Where it closed before, standard input has ended and no request comes.
    """
    lifeline = os.dup(sys.stderr.fileno())
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


if __name__ == "__main__":
    main(int(sys.argv[1]))
