"""Archive, ledger and bucket held against each other: every file and every object gets one sign and one standing.

Pure: no clock, no I/O, the inputs are not changed. What the archive lists is compared with what the ledger says
through the planner (`planning.plan`), so that a reconcile and an hourly run never judge a row differently; here the
bucket joins in, and the ledger a second time.

The ledger is read before and after the bucket is listed (Rucio's three snapshots). A file of which the ledger learnt
something in between is `changing`: some other run works on it, and what looks like a difference is none. An object
is unknown only when neither snapshot knows it. `standing` says what the words
mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from onc_mirror.errors import UnsafeNameError
from onc_mirror.frames import SIZE, STRING, TIME, files_from_frame, typed_column
from onc_mirror.layout import Layout, mirrored_key
from onc_mirror.model import ArchiveFile, Decision, State
from onc_mirror.planning import RE_ARCHIVED
from onc_mirror.reconcile.duty import is_ours
from onc_mirror.reconcile.standing import AGREED, ERRORS, Sign, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from onc_mirror.model import StoredObject

_KEY = ["device_code", "filename"]
_OF_THE_LEDGER = ("state", "key", "sha256", "size_bytes", "mirrored_at", "revision")
_OF_A_LEDGER_ROW = (*_KEY, "product_code", "begins_at", "ends_at", "archived_at", *_OF_THE_LEDGER)


def spans_frame(spans: Iterable[tuple[str, str, datetime, datetime]] = ()) -> pd.DataFrame:
    """Return spans of data as a frame: `product_code`, `extension`, `since` and `until` (exclusive)."""
    rows = list(spans)
    kinds = {"product_code": STRING, "extension": STRING, "since": TIME, "until": TIME}
    return pd.DataFrame(
        {name: typed_column([row[n] for row in rows], kind) for n, (name, kind) in enumerate(kinds.items())}
    )


@dataclass(frozen=True, slots=True)
class Worlds:
    """What is compared: one device, one window of data time.

    Attributes:
        planned: What the archive lists, as `planning.plan` decided about it by `before`.
        before: The ledger's snapshot before the bucket was listed (`Ledger.snapshot`), of all files whose data begin
            in the window, and of all that are listed.
        objects: The bucket, as `objects_frame` has it.
        after: The ledger's snapshot after the bucket was listed, also of what the objects are named after.
        short: Where the archive counts more files than it lists, as `spans_frame` has it.
    """

    planned: pd.DataFrame
    before: pd.DataFrame
    objects: pd.DataFrame
    after: pd.DataFrame
    short: pd.DataFrame = field(default_factory=spans_frame)


def objects_frame(
    listed: Iterable[StoredObject], looked_at: Mapping[str, StoredObject | None] | None = None
) -> pd.DataFrame:
    """Return objects of the bucket as a frame.

    Args:
        listed: As the bucket lists them.
        looked_at: What a closer look at some keys found, None where there is no object; it overrules the listing.

    Returns:
        `key`, `size_bytes`, `modified_at` and `sha256`: what the metadata says, empty when they do not, missing when
        nobody looked.
    """
    looks = looked_at or {}
    seen = {found.key: found for found in listed if found.key not in looks}
    closely = {key: found for key, found in looks.items() if found is not None}
    found = [*seen.values(), *closely.values()]
    hashes = [*([None] * len(seen)), *(one.metadata.get("sha256", "") for one in closely.values())]
    return pd.DataFrame(
        {
            "key": typed_column([one.key for one in found], STRING),
            "size_bytes": typed_column([one.size_bytes for one in found], SIZE),
            "modified_at": typed_column([one.modified_at for one in found], TIME),
            "sha256": typed_column(hashes, STRING),
        }
    )


def doubtful_keys(before: pd.DataFrame, objects: pd.DataFrame) -> tuple[str, ...]:
    """Return the keys of mirrored files about which the bucket's listing does not say enough: look at them.

    Those that it does not list, or with another size (some stores list late); those written after the ledger recorded
    them. What was last written before that is what was proven then.
    """
    mirrored = before[before["state"].eq(State.MIRRORED) & before["key"].notna()]
    rows = mirrored.merge(objects, on="key", how="left", suffixes=("", "_found"))
    same_size = (rows["size_bytes"] == rows["size_bytes_found"]).fillna(False).astype(bool)
    untouched = (rows["modified_at"] <= rows["mirrored_at"]).fillna(False).astype(bool)
    return tuple(sorted(rows["key"][~(same_size & untouched)]))


def compare(
    worlds: Worlds, *, watermark: datetime | None, began_at: datetime | None, layout: Layout = "raw"
) -> pd.DataFrame:
    """Compare the worlds of one device.

    Args:
        worlds: What is compared.
        watermark: The device's; what was archived since is new, and no hourly run has missed it. None when there is
            none.
        began_at: When the mirror's first hourly run began, None when there was none. What was archived before was
            asked of this mirror only where `duty.is_ours` says so.
        layout: The bucket's.

    Returns:
        One row per file and per object that is of no file, sorted by `filename` and `key`: `sign`, `standing` and
        `detail`; `device_code`; `key`, where the object is or should be; `size_bytes`, of the object if there is one,
        else of the archive's file, else of what the ledger knows; `listed`, `present` and `state` (the ledger's);
        `ours`, whether the mirror was ever asked for it; and the columns of the plan, missing for what is not
        listed.
    """
    files = _files(worlds, layout)
    files["ours"] = is_ours(files, began_at, watermark)
    files["standing"] = _standings(files, worlds.short, watermark)
    rows = pd.concat([files, _strangers(worlds, files, layout)], ignore_index=True)
    rows["sign"] = _signs(rows)
    rows["detail"] = _details(rows)
    rows["size_bytes"] = rows["found_bytes"].fillna(rows["expected_bytes"]).fillna(rows["size_bytes"])
    return rows.sort_values(["filename", "key"], ignore_index=True)


def _files(worlds: Worlds, layout: Layout) -> pd.DataFrame:
    planned = worlds.planned.assign(listed=True)
    known = worlds.before[list(_OF_A_LEDGER_ROW)]
    unlisted = known[~_keys(known).isin(_keys(planned))].assign(listed=False)
    extensions = typed_column([ArchiveFile(name, "").extension for name in unlisted["filename"]], STRING)
    unlisted["extension"] = extensions.set_axis(unlisted.index)
    files = pd.concat([planned, unlisted], ignore_index=True)
    later = worlds.after[[*_KEY, "revision"]].rename(columns={"revision": "later_revision"})
    files = files.merge(later, on=_KEY, how="left").merge(worlds.before[[*_KEY, "entered_by"]], on=_KEY, how="left")
    # A file that is in no snapshot has not changed either.
    files["stable"] = files["revision"].fillna(-1) == files["later_revision"].fillna(-1)
    files["key"] = files["key"].fillna(_expected_keys(files[files["key"].isna()], layout))
    found = worlds.objects.rename(
        columns={"size_bytes": "found_bytes", "sha256": "found_sha256", "modified_at": "found_at"}
    )
    files = files.merge(found, on="key", how="left")
    files["present"] = files["found_bytes"].notna()
    return files


def _keys(frame: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(frame[_KEY])


def _expected_keys(files: pd.DataFrame, layout: Layout) -> pd.Series[Any]:
    """Where the objects of files belong; missing for those that can have none."""
    keys = pd.Series(None, index=files.index, dtype=STRING)
    for index, file in zip(files.index, files_from_frame(files[[*_KEY, "begins_at"]]), strict=True):
        try:
            keys[index] = mirrored_key(file, layout)
        except UnsafeNameError:
            continue
    return keys


def _standings(files: pd.DataFrame, short: pd.DataFrame, watermark: datetime | None) -> pd.Series[Any]:
    standings = pd.Series(Standing.MISSED.value, index=files.index, dtype=STRING)
    # The first that applies is the one, so it is written last.
    for standing, where in reversed(list(_rules(files, short, watermark))):
        standings = standings.mask(where.fillna(False).astype(bool), standing.value)
    return standings


def _rules(
    files: pd.DataFrame, short: pd.DataFrame, watermark: datetime | None
) -> Iterator[tuple[Standing, pd.Series[Any]]]:
    listed, present, state = files["listed"], files["present"], files["state"]
    decision, reason = files["decision"], files["reason"]
    mirrored, fetch = state.eq(State.MIRRORED).fillna(False).astype(bool), decision.eq(Decision.FETCH)
    yield Standing.CHANGING, ~files["stable"]
    yield Standing.COUNTED_ONLY, ~listed & ~state.eq(State.GONE) & _is_within(files, short)
    yield Standing.LOST, ~listed & mirrored & ~present
    yield Standing.VANISHED, ~listed & ~state.eq(State.GONE)
    yield Standing.GONE, ~listed
    yield Standing.MISSING_OBJECT, mirrored & ~present
    yield Standing.DAMAGED_OBJECT, mirrored & _is_other(files)
    yield Standing.QUARANTINED, decision.eq(Decision.QUARANTINED)
    yield Standing.FILTERED, decision.eq(Decision.FILTERED)
    yield Standing.HELD, decision.eq(Decision.HELD) | state.eq(State.HELD)
    yield Standing.SAME, decision.eq(Decision.ALREADY)
    yield Standing.RE_ARCHIVED, fetch & reason.eq(RE_ARCHIVED)
    yield Standing.LISTED_AGAIN, fetch & reason.eq("listed-again")
    yield Standing.SELECTED, fetch & reason.eq("selected")
    yield Standing.UNFINISHED, state.eq(State.LISTED)
    yield Standing.UNRECORDED, present
    if watermark is not None:
        yield Standing.NEW, files["archived_at"].ge(watermark)
    yield Standing.BEFORE_MIRROR, ~files["ours"]


def _is_within(files: pd.DataFrame, spans: pd.DataFrame) -> pd.Series[bool]:
    within = pd.Series(False, index=files.index)
    products = files["product_code"].fillna("")
    for product, extension, since, until in spans.itertuples(index=False, name=None):
        begun = files["begins_at"].ge(since) & files["begins_at"].lt(until)
        within |= begun & products.eq(product) & files["extension"].eq(extension)
    return within


def _is_other(files: pd.DataFrame) -> pd.Series[bool]:
    """Whether the object is not what the ledger proved; what one of both does not say does not tell them apart."""
    size = (files["found_bytes"] != files["size_bytes"]).fillna(False).astype(bool)
    content = (files["found_sha256"] != files["sha256"]).fillna(False).astype(bool)
    return files["present"] & (size | content)


def _strangers(worlds: Worlds, files: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """The objects that are of no file, as rows like those of files."""
    # Of a file that the archive has moved to another day, a killed run may have left an object under its new key.
    wanted = files[files["decision"].eq(Decision.FETCH)]
    keys = pd.concat([files["key"], worlds.after["key"], _expected_keys(wanted, layout)])
    objects = worlds.objects[~worlds.objects["key"].isin(keys.dropna())]
    return pd.DataFrame(
        {
            "filename": typed_column([key.rpartition("/")[2] for key in objects["key"]], STRING).set_axis(
                objects.index
            ),
            "key": objects["key"],
            "standing": Standing.UNKNOWN_OBJECT.value,
            "found_bytes": objects["size_bytes"],
            "found_sha256": objects["sha256"],
            "listed": False,
            "present": True,
            "ours": True,
        }
    )


def _signs(rows: pd.DataFrame) -> pd.Series[Any]:
    signs = pd.Series(Sign.SAME.value, index=rows.index, dtype=STRING)
    signs = signs.mask(rows["listed"] & ~rows["present"], Sign.ONLY_ARCHIVE.value)
    signs = signs.mask(~rows["listed"] & rows["present"], Sign.ONLY_BUCKET.value)
    agreed = rows["standing"].isin(AGREED)
    signs = signs.mask(rows["listed"] & rows["present"] & ~agreed, Sign.DIFFERS.value)
    signs = signs.mask(rows["standing"].eq(Standing.CHANGING), Sign.SAME.value)
    return signs.mask(rows["standing"].isin(ERRORS), Sign.ERROR.value)


def _details(rows: pd.DataFrame) -> pd.Series[Any]:
    """What is to be said about differences; what the planner has said already stands."""
    details = rows["standing"].map(lambda name: Standing(name).advice).astype(STRING)
    differing = rows["standing"].map(lambda name: Standing(name).is_difference).astype(bool)
    said = rows["detail"].fillna("")
    details = details.where(details.ne("") | ~differing, said)
    damaged = rows[rows["standing"].eq(Standing.DAMAGED_OBJECT)]
    facts = ("found_bytes", "found_sha256", "size_bytes", "sha256")
    for index, found, told, size, sha256 in zip(damaged.index, *(damaged[name] for name in facts), strict=True):
        proven = _content(size, sha256)
        details[index] = f"The object has {_content(found, told)}; what was proven has {proven}."
    return details


def _content(size_bytes: Any, sha256: Any) -> str:
    told = "" if pd.isna(sha256) else f" and SHA-256 {sha256[:8]}" if sha256 else " and no SHA-256"
    return f"{size_bytes} bytes{told}"
