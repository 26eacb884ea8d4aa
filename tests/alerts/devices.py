"""Devices and files, of which the mirror itself tells: from the start of the run that sees what is wrong."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.alerts.hearing import told_by_both
from tests.alerts.worlds import DEVICE, OTHER_DEVICE

if TYPE_CHECKING:
    from infra.sandbox.orchestrator import FlowRun
    from tests.alerts.hearing import Ears
    from tests.alerts.worlds import World

RECONCILE = "reconcile/nightly"
SILENCE_S = 120
BAD = "*-SDAQ-MODULE.hdf5"


def silent_device(broken: World, by: Ears) -> str:
    """The archive gets no newer files of a device, and after two minutes that is too long."""
    broken.archive.clear()
    broken.archive.fault("vanished", filename=f"{OTHER_DEVICE}_{datetime.now(UTC):%Y%m%dT%H}*")
    broken.end(broken.begin(device=OTHER_DEVICE))
    patience = int(time.time() - broken.newest(OTHER_DEVICE)) + SILENCE_S
    broken.voices["ONC_MIRROR_ALERT_SILENCE"] = f"PT{patience}S"
    before, subject = len(by.messages), f"onc-mirror: {OTHER_DEVICE}: no new files for longer than usual"
    broken.end(broken.begin(device=OTHER_DEVICE))
    early = [one for one in by.messages[before:] if one.subject == subject]
    time.sleep(max(0.0, broken.newest(OTHER_DEVICE) + patience + 1 - time.time()))
    run = broken.end(broken.begin(device=OTHER_DEVICE))
    said = _told(broken, by, run, f"device silent for {patience} s", subject)
    return f"{said}; NOT silent before" if early else said


def device_that_comes_back(broken: World, by: Ears) -> str:
    """Its newest file comes in a new version, and so it is heard of again."""
    broken.archive.clear()
    _archive_again(broken)
    run = broken.end(broken.begin(device=OTHER_DEVICE))
    broken.voices.pop("ONC_MIRROR_ALERT_SILENCE", None)
    subject = f"onc-mirror: over: {OTHER_DEVICE}: new files have come, or it was taken out of the water"
    return _told(broken, by, run, "it comes back", subject)


def bad_file(broken: World, by: Ears) -> str:
    """The newest files of a device come in a new version with a flipped bit."""
    broken.archive.clear()
    broken.archive.fault("bit-flip", filename=f"{OTHER_DEVICE}{BAD}", endpoint="download")
    _archive_again(broken)
    run = broken.end(broken.begin(device=OTHER_DEVICE))
    return _told(broken, by, run, "quarantined files", f"onc-mirror: {OTHER_DEVICE}: bad files in quarantine")


def no_bad_file(broken: World, by: Ears) -> str:
    """They are archived once more, and good."""
    broken.archive.clear()
    _archive_again(broken)
    run = broken.end(broken.begin(device=OTHER_DEVICE))
    subject = f"onc-mirror: over: {OTHER_DEVICE}: nothing is in quarantine any more"
    return _told(broken, by, run, "none is left", subject)


def lost_object(broken: World, by: Ears) -> str:
    """An object is deleted from the bucket, and a reconcile finds and mends it."""
    broken.archive.clear()
    broken.end(broken.begin())
    broken.lose_object(DEVICE)
    run = broken.end(broken.begin(RECONCILE))
    subject = f"onc-mirror: {DEVICE}: stored objects were missing or damaged"
    return _told(broken, by, run, "object missing", subject)


def mended_object(broken: World, by: Ears) -> str:
    """The next reconcile finds nothing."""
    run = broken.end(broken.begin(RECONCILE))
    subject = f"onc-mirror: over: {DEVICE}: all is mended, and the last check found nothing more"
    return _told(broken, by, run, "the next check finds nothing", subject)


def _archive_again(broken: World) -> None:
    """The archive takes in the files of the last full hours of data again, now: files come up to three hours late."""
    at = datetime.now(UTC)
    for hour in (at - timedelta(hours=number) for number in range(1, 5)):
        broken.archive.fault("re-archived", filename=f"{OTHER_DEVICE}_{hour:%Y%m%dT%H}*", at=at.isoformat())


def _told(broken: World, by: Ears, run: FlowRun, what: str, subject: str) -> str:
    return told_by_both(f"{what}, from the start of the run", broken.started_at(run), by, subject)
