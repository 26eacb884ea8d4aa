"""What a scrub found and did, as a value, as the JSON that tells it, and in words. Pure.

The JSON is the run's report with one more key, `scrub`: what was read, of how much, whether the budget reaches
everything in time, and what became of stale uploads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onc_mirror.report.document import LOST, OTHER_CONTENT, DeviceError
from onc_mirror.utc import time_text
from onc_mirror.wording import counted, size_text

if TYPE_CHECKING:
    from onc_mirror.ledger.readings import Stock
    from onc_mirror.model import Outcome
    from onc_mirror.report.document import RunReport
    from onc_mirror.scrub.leftovers import Leftovers
    from onc_mirror.scrub.share import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrubbed:
    """What one scrub found and did.

    Attributes:
        report: The run's report; `listed` are the objects read or tried, `already` those that are what was proven,
            `mirrored` those fetched again.
        read_bytes: That came from the store.
        stock: The objects that the ledger knew at the begin.
        share: What was to be read of them.
        leftovers: Stale uploads.
    """

    report: RunReport
    read_bytes: int
    stock: Stock
    share: Share
    leftovers: Leftovers

    def to_json(self) -> str:
        """Return the report with what a scrub has besides, in ASCII."""
        oldest = self.stock.oldest_reading
        content = json.loads(self.report.to_json()) | {
            "scrub": {
                "read_bytes": self.read_bytes,
                "objects": self.stock.objects,
                "bytes": self.stock.bytes,
                "never_read": self.stock.unread_objects,
                "oldest_reading": None if oldest is None else time_text(oldest),
                "known_damaged": self.stock.damaged_objects,
                "days": self.share.days,
                "days_needed": self.share.days_needed,
                "budget_bytes": self.share.budget_bytes,
                "postponed_bytes": self.share.postponed_bytes,
                "stale_uploads": {"found": self.leftovers.found, "aborted": self.leftovers.aborted},
            }
        }
        return json.dumps(content, indent=2, allow_nan=False)


def lost_error(end: Outcome, found: str) -> DeviceError:
    """What fails the run when the archive does not have a damaged file any more.

    Args:
        end: How its repair ended.
        found: What is wrong with the object.
    """
    told = f"{end.file.filename}: {found} The archive does not have it any more. Look for it in copies of the bucket."
    return DeviceError(end.file.device_code, LOST, f"{told} {end.detail}".rstrip())


def other_content_error(end: Outcome, found: str) -> DeviceError:
    """What fails the run when the archive has other bytes than were proven once; see `lost_error`."""
    told = (
        f"{end.file.filename}: {found} The archive has other bytes by now, so what was proven is lost; look for it in"
        " copies of the bucket."
    )
    return DeviceError(end.file.device_code, OTHER_CONTENT, f"{told} {end.detail}".rstrip())


def closing_sentence(scrubbed: Scrubbed) -> str:
    """The sentences that a scrub ends in; what is nothing is left out."""
    report, stock = scrubbed.report, scrubbed.stock
    total = f"{counted(stock.objects, 'object')} ({size_text(stock.bytes)})"
    took = f"{size_text(scrubbed.read_bytes)} in {report.seconds:.1f} s"
    told = [f"{report.listed} of {total} read back, {took}{_ends(report)}."]
    told += dict.fromkeys(error.detail for error in report.errors)
    if scrubbed.share.shortage:
        told.append(scrubbed.share.shortage)
    elif scrubbed.share.postponed_bytes:
        told.append(f"{size_text(scrubbed.share.postponed_bytes)} more are for the next runs.")
    if scrubbed.leftovers.aborted:
        told.append(f"{counted(scrubbed.leftovers.aborted, 'upload')} that a killed run had left were aborted.")
    if scrubbed.leftovers.trouble:
        told.append(f"Stale uploads: {scrubbed.leftovers.trouble}")
    return " ".join(told)


def _ends(report: RunReport) -> str:
    if report.listed and report.already == report.listed:
        return ": all are what was proven"
    counts = {
        "as proven": report.already,
        "fetched again": report.mirrored,
        "held": report.held,
        "quarantined": report.quarantined,
        "gone": report.gone,
        "failed": report.failed,
    }
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return told and f": {told}"
