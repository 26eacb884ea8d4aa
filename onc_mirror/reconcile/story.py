"""Reconcile: what archive, ledger and bucket have of a span of data is compared, and what is missing fetched again.

`reconcile` runs it in this process. An orchestrated flow calls the same functions in the same order with its own
tasks around them, and ends in the same document.

Guarantees: nothing is deleted, whoever knows it or not; nothing is fetched before every device is compared and the
guard has let it pass; a repair is entered in the ledger before it begins, as a held file whose reason says what is
wrong, so that the next hourly run ends what a killed one began.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from onc_mirror.errors import MirrorError, SettingsError
from onc_mirror.flow_names import RECONCILE
from onc_mirror.layout import report_key
from onc_mirror.model import Listing, Outcome, TimeWindow
from onc_mirror.reconcile.findings import DeviceComparison, Reconciliation, with_outcomes
from onc_mirror.reconcile.guard import passes, stopped
from onc_mirror.report.document import LOST, NO_DEVICE, DeviceError
from onc_mirror.report.failures import failure_of
from onc_mirror.retrying import with_retries
from onc_mirror.run.clocks import read_clock
from onc_mirror.run.gathering import Gathered, MirrorRequest, begin_inquiry, devices_of
from onc_mirror.run.life import Run, begun_run, finish_run
from onc_mirror.transfer.batch import NoWatcher, transfer_files
from onc_mirror.transfer.repairing import noted_damage
from onc_mirror.windows import whole_days
from onc_mirror.wording import some_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from onc_mirror.mirror import Mirror
    from onc_mirror.model import Device
    from onc_mirror.run.gathering import Inquiry
    from onc_mirror.transfer.batch import Watcher

NIGHTLY_DAYS = 7


@dataclass(frozen=True, slots=True)
class ReconcileRequest:
    """What one reconcile is asked to do.

    Attributes:
        since: Begin of the data, UTC; None: `days` before the end. Rounded to the midnight before.
        until: End of the data, UTC; None: now. Rounded to the midnight after.
        days: How far to reach back when no begin is given.
        devices: Device codes; empty means all that are deployed.
        dry_run: Compare only; nothing is written anywhere.
        force: Repair also what the guard takes for unlikely.
    """

    since: datetime | None = None
    until: datetime | None = None
    days: int = NIGHTLY_DAYS
    devices: tuple[str, ...] = ()
    dry_run: bool = False
    force: bool = False


@dataclass(slots=True)
class Surveyed:
    """What the comparison of all devices found.

    Attributes:
        window: Of data time.
        devices: Those that could be compared.
        errors: Those that could not be.
    """

    window: TimeWindow
    devices: list[DeviceComparison] = field(default_factory=list)
    errors: list[DeviceError] = field(default_factory=list)


def reconcile(mirror: Mirror, request: ReconcileRequest, watcher: Watcher | None = None) -> Reconciliation:
    """Compare, and repair what the guard lets pass, in this process.

    Raises:
        SettingsError: The window is empty.
        MirrorError: Nothing could be begun; see `hour.mirror_hour`.
    """
    if request.dry_run:
        return look_only(mirror, request, watcher)
    with begun_run(mirror, RECONCILE) as run:
        inquiry, watching = _begin_inquiry(mirror, run, request), watcher or NoWatcher()
        surveyed = survey_devices(mirror, inquiry, watching)
        gathered = prepare_repair(mirror, inquiry, surveyed, force=request.force)
        # Imported now, as they bring pandas: `open_mirror` has it loaded while the archive answers.
        from onc_mirror import planning  # noqa: PLC0415 - see above
        from onc_mirror.run import plans  # noqa: PLC0415 - see above

        planned = plans.plan_run(mirror, inquiry, gathered)
        outcomes = transfer_files(mirror, run, plans.to_fetch(planned), watching)
        return finish_reconcile(mirror, inquiry, gathered, surveyed, [*planning.outcomes(planned), *outcomes])


def look_only(mirror: Mirror, request: ReconcileRequest, watcher: Watcher | None = None) -> Reconciliation:
    """Compare without a trace; what the guard would stop is an error here, too."""
    inquiry = _begin_inquiry(mirror, unnoted_run(mirror), request)
    return without_repair(survey_devices(mirror, inquiry, watcher), force=request.force)


def unnoted_run(mirror: Mirror) -> Run:
    """A run of which the ledger knows nothing."""
    return Run("", RECONCILE, mirror.clock())


def without_repair(surveyed: Surveyed, *, force: bool) -> Reconciliation:
    """What a dry run ends in."""
    errors = (*surveyed.errors, *_doubts(surveyed), *(() if force else stopped(surveyed.devices)))
    return Reconciliation(run_id="", window=surveyed.window, devices=tuple(surveyed.devices), errors=errors)


def fix_window(mirror: Mirror, run: Run, request: ReconcileRequest) -> MirrorRequest:
    """Fix what is asked of archive and ledger, once the bucket is seen to be there.

    Raises:
        SettingsError: The window is empty.
        MirrorError: The bucket is missing or closed.
    """
    window = data_window(request, run.began_at)
    mirror.store.look()
    return MirrorRequest(data=window, devices=request.devices)


def data_window(request: ReconcileRequest, now: datetime) -> TimeWindow:
    """The whole days that a request is about; the days of the bucket's folders, and of the archive's counts.

    >>> from datetime import UTC, datetime
    >>> window = data_window(ReconcileRequest(days=7), datetime(2026, 11, 22, 4, 40, tzinfo=UTC))
    >>> window.since.isoformat(), window.until.isoformat()
    ('2026-11-15T00:00:00+00:00', '2026-11-23T00:00:00+00:00')

    Raises:
        SettingsError: It ends before it begins, or lies in the future.
    """
    since = request.since or (request.until or now) - timedelta(days=request.days)
    until = min(request.until or now, now)
    try:
        return whole_days(since, until)
    except ValueError:
        raise SettingsError(
            f"There are no data to compare: the window begins at {since} and ends at {until}."
        ) from None


def window_of(inquiry: Inquiry) -> TimeWindow:
    """The window of data time of a reconcile's inquiry."""
    if inquiry.request.data is None:
        raise SettingsError("A reconcile needs a window of data.")
    return inquiry.request.data


def _begin_inquiry(mirror: Mirror, run: Run, request: ReconcileRequest) -> Inquiry:
    delays = mirror.settings.retry_delays_s
    asked = fix_window(mirror, run, request)
    return begin_inquiry(run, asked, lambda: with_retries(lambda: read_clock(mirror, run), delays))


def survey_devices(mirror: Mirror, inquiry: Inquiry, watcher: Watcher | None = None) -> Surveyed:
    """Compare the devices one after the other, so that memory holds one of them at a time."""
    surveyed = Surveyed(window_of(inquiry))
    devices = devices_of(mirror, inquiry)
    (watcher or NoWatcher()).asked(len(devices))
    for device in devices:
        collect(surveyed, device, functools.partial(_compare_patiently, mirror, inquiry, device))
    return surveyed


def compare(mirror: Mirror, inquiry: Inquiry, device: Device) -> DeviceComparison:
    """Compare one device.

    Raises:
        MirrorError: It could not be compared.
    """
    if inquiry.unreachable is not None:
        raise inquiry.unreachable
    from onc_mirror.reconcile.surveying import survey  # noqa: PLC0415 - pandas takes long to import

    return survey(mirror, device.code, window_of(inquiry), now=inquiry.run.began_at)


def _compare_patiently(mirror: Mirror, inquiry: Inquiry, device: Device) -> DeviceComparison:
    delays = mirror.settings.retry_delays_s
    return with_retries(lambda: compare(mirror, inquiry, device), delays, f"comparison of {device.code}")


def collect(surveyed: Surveyed, device: Device, result: Callable[[], DeviceComparison]) -> None:
    """Take a device's comparison, or its failure, into `surveyed`."""
    try:
        surveyed.devices.append(result())
    except Exception as error:  # noqa: BLE001 - also a fault of ours with one device must not cost the others
        surveyed.errors.append(failure_of(device.code, error))


def prepare_repair(mirror: Mirror, inquiry: Inquiry, surveyed: Surveyed, *, force: bool) -> Gathered:
    """Enter in the ledger what is to be repaired, and name it for the planner; nothing of what the guard stops.

    Returns:
        Per device what is to be fetched or entered, and what is gone.
    """
    gathered = Gathered(surveyed.window.since, surveyed.window.until)
    gathered.errors += [*surveyed.errors, *_doubts(surveyed), *(() if force else stopped(surveyed.devices))]
    for device in surveyed.devices:
        listing = Listing(device.device, None, ())
        if passes(device.device, gathered.errors):
            _enter(mirror, inquiry.run, device)
            listing = replace(listing, files=device.wanted, unlisted=device.vanished)
            if device.lost:
                gathered.errors.append(DeviceError(device.device, LOST, _lost_text(device)))
        gathered.listings.append(listing)
    return gathered


def finish_reconcile(
    mirror: Mirror, inquiry: Inquiry, gathered: Gathered, surveyed: Surveyed, ends: Sequence[Outcome]
) -> Reconciliation:
    """Put the document into the bucket when there is something to say, and end the run.

    Args:
        mirror: The parts.
        inquiry: What was asked.
        gathered: What `prepare_repair` returned.
        surveyed: What was found.
        ends: The end of every file that was planned.
    """
    run = inquiry.run
    by_name = {(end.file.device_code, end.file.filename): end for end in ends}
    devices = tuple(with_outcomes(device, by_name) for device in surveyed.devices)
    found = Reconciliation(run_id=run.run_id, window=surveyed.window, devices=devices, errors=tuple(gathered.errors))
    if found.is_noteworthy:
        _publish(mirror, run, found, gathered)
    settled = [end for device in devices if passes(device.device, gathered.errors) for end in device.settled]
    report = finish_run(mirror, run, gathered, [*settled, *ends])
    return replace(found, errors=tuple(gathered.errors), report=report)


def _doubts(surveyed: Surveyed) -> list[DeviceError]:
    return [DeviceError(one.device, one.doubted, one.doubt) for one in surveyed.devices if one.doubt]


def _enter(mirror: Mirror, run: Run, device: DeviceComparison) -> None:
    files = {file.filename: file for file in device.wanted}
    held = [noted_damage(files[name], str(standing), detail) for name, (standing, detail) in device.damage.items()]
    now = mirror.clock()
    mirror.ledger.record_listed(device.wanted, run_id=run.run_id, now=now, device_code=device.device)
    mirror.ledger.record_many(held, run_id=run.run_id, now=now)


def _lost_text(device: DeviceComparison) -> str:
    return (
        f"{len(device.lost)} mirrored files have no object any more, and the archive lists them no more:"
        f" {some_of(device.lost)}."
        " Look for them in copies of the bucket."
    )


def _publish(mirror: Mirror, run: Run, found: Reconciliation, gathered: Gathered) -> None:
    key = report_key(RECONCILE, f"{run.run_id}-comparison", run.began_at)
    body = found.to_json().encode()
    try:
        with_retries(lambda: mirror.store.write(key, body, "application/json"), mirror.settings.retry_delays_s)
    except MirrorError as error:
        gathered.errors.append(DeviceError(NO_DEVICE, error.reason, f"The comparison is not in the bucket. {error}"))
