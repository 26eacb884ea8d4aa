"""Whether the bucket is the one that the ledger tells of: the newest objects it knows must be there.

Without this a changed store URL, or a bucket that somebody emptied, goes unnoticed for as long as nothing is compared
with it: the ledger says that all is mirrored, and the new files go where the old ones are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.errors import BucketMissingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onc_mirror.mirror import Mirror

_DEVICES = 3
_OBJECTS = 2
_FEWEST = 3
"""So many must be known, and all of them missing: one or two may have been deleted by hand."""


def look_at_bucket(mirror: Mirror, device_codes: Iterable[str]) -> None:
    """See that the bucket is there and has what the ledger knows of these devices; one or two requests if it does.

    Raises:
        BucketMissingError: It is not there, or has nothing of what the ledger knows.
        MirrorError: The store or the ledger did not answer.
    """
    mirror.store.look()
    known = []
    for code in sorted(device_codes)[:_DEVICES]:
        for key in mirror.ledger.readings.newest_keys(code, _OBJECTS):
            if mirror.store.head(key) is not None:
                return
            known.append(key)
    if len(known) >= _FEWEST:
        raise BucketMissingError(
            f"{mirror.store.url} has none of the {len(known)} newest objects that the ledger knows, such as"
            f" {known[0]}: it was emptied, or is another bucket. Check ONC_MIRROR_STORE_URL and AWS_ENDPOINT_URL. A"
            " new bucket needs its own ledger (ONC_MIRROR_STATE_DIR); `onc-mirror reconcile` tells what is missing."
        )
