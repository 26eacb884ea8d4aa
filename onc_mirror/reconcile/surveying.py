"""One device, looked at from all sides: archive, ledger, bucket and the second witness are read and compared.

Nothing is changed. The order of reading is what makes the comparison true while other runs work: the archive's
counts, the ledger, the archive's listing, the bucket's listing, a closer look at doubtful objects, the ledger again,
the archive's counts again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from onc_mirror import planning
from onc_mirror.errors import MirrorError, TokenRejectedError
from onc_mirror.flow_names import HOURLY
from onc_mirror.frames import files_from_frame, listing_frame
from onc_mirror.guard import is_unlikely
from onc_mirror.layout import day_folders, key_day
from onc_mirror.ledger.entries import COLUMNS as ENTRY
from onc_mirror.model import ArchiveFile, Decision, Outcome, State, TimeWindow
from onc_mirror.reconcile.comparing import Worlds, compare, doubtful_keys, objects_frame
from onc_mirror.reconcile.findings import (
    EMPTY_LISTING,
    MOST_NAMED,
    SHORT_LISTING,
    Count,
    DeviceComparison,
    Difference,
)
from onc_mirror.reconcile.standing import DAMAGE, Standing
from onc_mirror.reconcile.witnessing import counted_files, disagreements, short_spans
from onc_mirror.run.data_listing import list_data
from onc_mirror.run.ladder import longest_pause
from onc_mirror.selection import Selection
from onc_mirror.threads import side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from onc_mirror.archive import Counted
    from onc_mirror.mirror import Mirror
    from onc_mirror.model import StoredObject

logger = logging.getLogger(__name__)

BEFORE_MIRROR = str(Standing.BEFORE_MIRROR)

_ASKED_FOR = 20
"""Missing files that are asked for by name when nobody counts; each is a request."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """What the archive counts of a device, or why it does not say."""

    counted: tuple[Counted, ...] = ()
    silence: str = ""


def survey(mirror: Mirror, device_code: str, window: TimeWindow, *, now: datetime) -> DeviceComparison:
    """Compare what archive, ledger and bucket have of a device's data.

    Args:
        mirror: The parts.
        device_code: Device code.
        window: Of data time, whole days.
        now: The moment at which a held file is due or not, UTC.

    Raises:
        MirrorError: Archive, ledger or bucket cannot be read.
    """
    counted = _count(mirror, device_code, window)
    before = mirror.ledger.snapshot(device_code, window)
    listed = _list(mirror, device_code, window)
    if doubt := _doubt(listed, before, counted):
        logger.error("device=%s reason=%s detail=%r", device_code, EMPTY_LISTING, doubt)
        return DeviceComparison(device_code, doubt=doubt, doubted=EMPTY_LISTING, silent_witness=counted.silence)
    before = mirror.ledger.snapshot(device_code, window, listed["filename"]) if len(listed) else before
    planned = planning.plan(
        listed,
        before[list(ENTRY)],
        _selection(mirror),
        now=now,
        device_code=device_code,
        longest_pause=longest_pause(mirror.settings.hold_delays),
    )
    objects = _read_bucket(mirror, device_code, window, before)
    names = [*listed["filename"], *(key.rpartition("/")[2] for key in objects["key"])]
    after = mirror.ledger.snapshot(device_code, window, names)
    recounted = _count(mirror, device_code, window)
    silence = counted.silence or recounted.silence
    if silence and (doubt := _doubt_alone(mirror, listed, before)):
        logger.error("device=%s reason=%s detail=%r", device_code, SHORT_LISTING, doubt)
        return DeviceComparison(device_code, doubt=doubt, doubted=SHORT_LISTING, silent_witness=silence)
    found = () if silence else disagreements(listed, counted.counted, recounted.counted, window)
    rows = compare(
        Worlds(planned, before, objects, after, short_spans(found)),
        watermark=mirror.ledger.watermark(device_code),
        began_at=mirror.ledger.first_start(HOURLY),
        layout=mirror.settings.layout,
    )
    return replace(_sum_up(device_code, rows), disagreements=found, silent_witness=silence)


def _count(mirror: Mirror, device_code: str, window: TimeWindow) -> _Counts:
    try:
        return _Counts(mirror.archive.count_files(device_code, window))
    except TokenRejectedError:
        raise
    except MirrorError as error:  # a witness that does not answer is told, and stops nobody
        logger.warning("device=%s counts=unknown reason=%s detail=%r", device_code, error.reason, str(error))
        return _Counts(silence=str(error))


def _list(mirror: Mirror, device_code: str, window: TimeWindow) -> pd.DataFrame:
    listed = listing_frame(list_data(mirror, device_code, window).files)
    begun = listed["begins_at"].ge(window.since) & listed["begins_at"].lt(window.until)
    return listed[begun | listed["begins_at"].isna()]


def _doubt(listed: pd.DataFrame, before: pd.DataFrame, counted: _Counts) -> str:
    """Say why an empty listing is not to be believed: restricted data look like none."""
    known = int(before["state"].ne(State.GONE).sum())
    if len(listed) or not known or (not counted.silence and not counted_files(counted.counted)):
        return ""
    told = "does not say how many it has" if counted.silence else f"counts {counted_files(counted.counted)}"
    return (
        f"The archive lists no file, but the ledger knows {known}, and the archive {told}. Nothing was changed; if it"
        " stays so, check the rights of the token."
    )


def _doubt_alone(mirror: Mirror, listed: pd.DataFrame, before: pd.DataFrame) -> str:
    """Say why a listing that no count confirms is not to be believed: files that it lacks are there when asked for.

    Raises:
        MirrorError: The archive did not answer.
    """
    known = before[before["state"].ne(State.GONE) & ~before["filename"].isin(listed["filename"])]
    missing = files_from_frame(known)
    there = [file for file in missing[:_ASKED_FOR] if mirror.archive.still_lists(file)]
    if not there and len(missing) <= _ASKED_FOR:
        return ""
    told = f"{len(there)} are there when asked for by name" if there else "too many to ask for each by name"
    return (
        f"The archive lists {len(listed)} files and not {len(missing)} others that the ledger knows ({told}), and it"
        " does not say how many it has. Nothing was changed; repeat the reconcile when the archive counts again."
    )


def _selection(mirror: Mirror) -> Selection:
    return Selection(extensions=frozenset(mirror.settings.extensions))


def _read_bucket(mirror: Mirror, device_code: str, window: TimeWindow, before: pd.DataFrame) -> pd.DataFrame:
    keys = set(before["key"][before["key"].notna()])
    ours = day_folders(device_code, window, mirror.settings.layout)
    # A file may be where another layout, or another day in the archive's row, put it.
    elsewhere = {f"{key.rpartition('/')[0]}/" for key in keys}.difference(ours)
    with side_by_side(mirror.settings.concurrency, "bucket") as pool:
        found = [one for some in pool.map(lambda folder: list(mirror.store.list(folder)), ours) for one in some]
        others = [one for some in pool.map(lambda folder: list(mirror.store.list(folder)), elsewhere) for one in some]
    listed = [one for one in found if one.key in keys or _is_within(one, window)]
    listed += [one for one in others if one.key in keys]
    looked_at = _look_at(mirror, before, objects_frame(listed))
    return objects_frame(listed, looked_at)


def _is_within(stored: StoredObject, window: TimeWindow) -> bool:
    day = key_day(stored.key)
    return day is None or window.since.date() <= day < window.until.date()


def _look_at(mirror: Mirror, before: pd.DataFrame, objects: pd.DataFrame) -> dict[str, StoredObject | None]:
    """Look at every object about which the listing leaves a doubt.

    So many that are not listed at all are not looked for one by one: the guard stops the run anyway.
    """
    keys, listed = doubtful_keys(before, objects), set(objects["key"])
    missing = [key for key in keys if key not in listed]
    if is_unlikely(len(missing), int(before["state"].eq(State.MIRRORED).sum())):
        keys = tuple(key for key in keys if key in listed)
    with side_by_side(mirror.settings.concurrency, "look") as pool:
        return dict(zip(keys, pool.map(mirror.store.head, keys), strict=True))


def _sum_up(device_code: str, rows: pd.DataFrame) -> DeviceComparison:
    standing, mirrored = rows["standing"], rows["state"].eq(State.MIRRORED).fillna(False).astype(bool)
    listed = rows["listed"].astype(bool)
    damaged = standing.isin(DAMAGE)
    before_mirror = standing.eq(Standing.BEFORE_MIRROR) | ~rows["ours"]
    held_again = rows["decision"].eq(Decision.HELD) & rows["state"].eq(State.FILTERED)
    unsettled = rows["decision"].eq(Decision.FETCH) | damaged | rows["state"].isna() | held_again
    wanted = listed & unsettled.fillna(False).astype(bool) & ~before_mirror
    given_up = standing.isin({Standing.VANISHED, Standing.LOST})
    differing = rows[standing.map(lambda name: Standing(name).is_difference).astype(bool)]
    missed = standing.eq(Standing.MISSED)
    return DeviceComparison(
        device_code,
        expected=int((mirrored | missed).sum()),
        changing=int((damaged | missed | (given_up & mirrored)).sum()),
        counts=_counts(rows),
        differences=_differences(device_code, differing[:MOST_NAMED]),
        unnamed=max(0, len(differing) - MOST_NAMED),
        wanted=files_from_frame(rows[wanted]),
        damage={
            name: (Standing(what), detail)
            for name, what, detail in rows.loc[damaged, ["filename", "standing", "detail"]].itertuples(index=False)
        },
        vanished=files_from_frame(rows.loc[given_up, ["device_code", "filename", "product_code", "begins_at"]]),
        lost=tuple(rows["filename"][standing.eq(Standing.LOST)]),
        settled=_settled(device_code, rows[listed & ~wanted]),
    )


def _counts(rows: pd.DataFrame) -> tuple[Count, ...]:
    groups = rows.groupby(["sign", "standing"])["size_bytes"].agg(["size", "sum"])
    return tuple(
        Count(str(sign), Standing(standing), int(files), 0 if pd.isna(size) else int(size))
        for (sign, standing), files, size in zip(groups.index, groups["size"], groups["sum"], strict=True)
    )


def _differences(device_code: str, rows: pd.DataFrame) -> tuple[Difference, ...]:
    names = ["filename", "sign", "standing", "key", "size_bytes", "detail"]
    return tuple(
        Difference(
            device_code,
            filename,
            sign,
            Standing(standing),
            _or_none(key),
            None if pd.isna(size) else int(size),
            detail,
        )
        for filename, sign, standing, key, size, detail in rows[names].itertuples(index=False)
    )


def _or_none(value: Any) -> Any:
    return None if pd.isna(value) else value


def _settled(device_code: str, rows: pd.DataFrame) -> Sequence[Outcome]:
    """The ends of files about which there is nothing to be done; one value stands for all that need no name."""
    nameless = ArchiveFile("", device_code)
    ours = rows["ours"]
    already = int((ours & rows["decision"].eq(Decision.ALREADY)).sum())
    filtered = rows["reason"][ours & rows["decision"].eq(Decision.FILTERED)].value_counts()
    named = rows[ours & rows["decision"].isin((Decision.HELD, Decision.QUARANTINED))]
    return (
        *([Outcome(nameless, Decision.ALREADY)] * already),
        *(end for rule, n in filtered.items() for end in [Outcome(nameless, Decision.FILTERED, str(rule))] * n),
        *([Outcome(nameless, Decision.FILTERED, BEFORE_MIRROR)] * int((~ours).sum())),
        *planning.outcomes(named),
    )
