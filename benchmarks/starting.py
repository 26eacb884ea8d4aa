"""What an hourly run costs when there is little to do: the start, and a second run that finds all done."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.contenders import Job, check_report, mirror

if TYPE_CHECKING:
    from benchmarks.measuring import Cost
    from benchmarks.servers import Servers
    from benchmarks.workload import Workload


@dataclass(frozen=True, slots=True)
class Starts:
    """Runs of `onc-mirror mirror` one after another; times in seconds.

    Attributes:
        first_request_s: From the process's start to its first request at the archive, the ledger being new.
        first_request_cpu_s: CPU seconds of the process until then.
        again_request_s: As `first_request_s` in later runs, the median.
        again_request_cpu_s: As `first_request_cpu_s` in later runs, the median.
        again_s: A whole later run, which finds all files mirrored, the median.
        again_cpu_s: Its CPU seconds, the median.
        files: Files that it finds.
        requests: Requests that it makes to the archive.
    """

    first_request_s: float
    first_request_cpu_s: float
    again_request_s: float
    again_request_cpu_s: float
    again_s: float
    again_cpu_s: float
    files: int
    requests: int


def measure_starts(servers: Servers, work: Workload, *, rounds: int) -> Starts:
    """Mirror a workload once, and then `rounds` times again."""
    with tempfile.TemporaryDirectory(dir=servers.folder) as folder:
        job = Job(servers, work, servers.rows(work), servers.create_store(), Path(folder), concurrency=8)
        first, first_at, _ = _run(job)
        check_report(first, mirrored=work.files, already=0)
        later = [_run(job) for _ in range(rounds)]
    for cost, _, _ in later:
        check_report(cost, mirrored=0, already=work.files)
    return Starts(
        first_request_s=first_at - first.began_at,
        first_request_cpu_s=first.cpu_until_s(first_at),
        again_request_s=median(at - cost.began_at for cost, at, _ in later),
        again_request_cpu_s=median(cost.cpu_until_s(at) for cost, at, _ in later),
        again_s=median(cost.wall_s for cost, _, _ in later),
        again_cpu_s=median(cost.cpu_s for cost, _, _ in later),
        files=work.files,
        requests=max(requests for _, _, requests in later),
    )


def _run(job: Job) -> tuple[Cost, float, int]:
    """Return the cost of a run, when its first request came (epoch seconds), and how many there were."""
    job.servers.forget_requests()
    cost = mirror(job)
    requests = job.servers.requests()
    return cost, requests[0]["began"], len(requests)
