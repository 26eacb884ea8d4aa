"""Listing what the archive took in: one task per device, retried when the archive is out of reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.task_runners import ThreadPoolTaskRunner

from onc_mirror.mirror import Mirror
from onc_mirror.model import Device, Listing
from onc_mirror.run import clocks, gathering
from onc_mirror.run.clocks import ArchiveClock
from onc_mirror.run.gathering import Gathered, Inquiry, MirrorRequest
from onc_mirror.run.life import Run
from tasks.policy import UNCACHED, retries, safely

if TYPE_CHECKING:
    from collections.abc import Sequence


@task(name="reach-archive", **UNCACHED)
@safely
def read_clock(mirror: Mirror, run: Run) -> ArchiveClock | None:
    """Make the first request to the archive, which says whether it can be asked at all."""
    return clocks.read_clock(mirror, run)


@task(name="find-devices", **UNCACHED)
@safely
def find_devices(mirror: Mirror, inquiry: Inquiry) -> tuple[Device, ...]:
    """Ask the archive which devices are deployed, or were then; the device table is the fallback."""
    return gathering.devices_of(mirror, inquiry)


@task(name="list-device", task_run_name="list {device.code}", **UNCACHED)
@safely
def list_device(mirror: Mirror, inquiry: Inquiry, device: Device) -> Listing:
    """List one device and enter every row in the ledger."""
    return gathering.list_device(mirror, inquiry, device)


def begin_inquiry(mirror: Mirror, run: Run, request: MirrorRequest) -> Inquiry:
    """Fix where the windows of the run end, and find out whether the archive can be asked at all."""
    retried = read_clock.with_options(**retries(mirror.settings.retry_delays_s))
    return gathering.begin_inquiry(run, request, lambda: retried(mirror, run))


def list_devices(mirror: Mirror, inquiry: Inquiry, devices: Sequence[Device]) -> Gathered:
    """List all devices side by side; one that cannot be listed becomes an error and stops nobody."""
    if inquiry.unreachable is not None:
        return gathering.leave_unlisted(mirror, inquiry, devices, inquiry.unreachable)
    gathered = inquiry.nothing_yet()
    retried = list_device.with_options(**retries(mirror.settings.retry_delays_s))
    runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=mirror.settings.concurrency)
    with runner:
        futures = [
            runner.submit(retried, {"mirror": mirror, "inquiry": inquiry, "device": device}) for device in devices
        ]
        for device, future in zip(devices, futures, strict=True):
            gathering.gather(gathered, device, future.result)
    return gathered
