"""Listing what the archive took in: one task per device, retried when the archive is out of reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.task_runners import ThreadPoolTaskRunner

from onc_mirror import gathering
from onc_mirror.gathering import Gathered, Run
from onc_mirror.mirror import Mirror
from onc_mirror.model import Device, Listing
from tasks.policy import UNCACHED, retries, safely

if TYPE_CHECKING:
    from collections.abc import Sequence


@task(name="find-devices", **UNCACHED)
@safely
def find_devices(mirror: Mirror, run: Run) -> tuple[Device, ...]:
    """Ask the archive which devices are deployed; the device table is the fallback."""
    return gathering.devices_of(mirror, run)


@task(name="list-device", task_run_name="list {device.code}", tags=["archive"], **UNCACHED)
@safely
def list_device(mirror: Mirror, run: Run, device: Device) -> Listing:
    """List one device and enter every row in the ledger."""
    return gathering.list_device(mirror, run, device)


def list_devices(mirror: Mirror, run: Run, devices: Sequence[Device]) -> Gathered:
    """List all devices side by side; one that cannot be listed becomes an error and stops nobody."""
    gathered = Gathered()
    retried = list_device.with_options(**retries(mirror.settings.retry_delays_s))
    runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=mirror.settings.concurrency)
    with runner:
        futures = [runner.submit(retried, {"mirror": mirror, "run": run, "device": device}) for device in devices]
        for device, future in zip(devices, futures, strict=True):
            gathering.gather(gathered, device, future.result)
    return gathered
