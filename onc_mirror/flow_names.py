"""What runs are called: in the ledger, in reports, in metrics and alerts, and in Prefect. Pure."""

from __future__ import annotations

HOURLY = "mirror-hour"
"""Goes on from the watermarks, for all that the settings want: the flow whose runs say that the mirror lives."""

ON_DEMAND = "mirror-on-demand"
"""Mirrors the window or the files that somebody asked for, and says nothing of whether the hourly runs come."""

BACKFILL = "backfill"
BACKFILL_PART = "backfill-part"
RECONCILE = "reconcile"
SCRUB = "scrub"
REBUILD = "rebuild"
RELEASE = "release"

CHECKS = (RECONCILE, SCRUB)
"""The flows that look for damage."""

SCHEDULED = (HOURLY, *CHECKS)
"""The flows of which runs follow each other, so that one that succeeds says that it works again."""

OF_DAYS = frozenset({BACKFILL, BACKFILL_PART})
"""The flows that go over days of data, and not over what the archive newly took in."""
