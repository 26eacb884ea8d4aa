"""The second witness: what the archive lists, held against what it counts. Pure.

A listing can lose rows without anybody noticing from inside: a pager that ends early, data that are restricted today.
The archive's counts come by another way. They are asked before and after the listing; what is listed must lie
between both answers, so that a file that arrives meanwhile is no disagreement.

A disagreement is a finding for people. Nothing is repaired by it: neither witness is known to be the better one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from onc_mirror.reconcile.comparing import spans_frame

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from onc_mirror.archive import Counted
    from onc_mirror.model import TimeWindow

_DAY = timedelta(days=1)

Span = tuple[str, str, "datetime", "datetime"]


@dataclass(frozen=True, slots=True)
class Tally:
    """Files and bytes; bytes are None where a size is not told.

    Attributes:
        files: Number of files.
        stored_bytes: In the archive.
        plain_bytes: Uncompressed.
    """

    files: int = 0
    stored_bytes: int | None = 0
    plain_bytes: int | None = 0


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A product's span of days of which the archive lists other files or bytes than it counts.

    Attributes:
        product_code: Data product code, or empty.
        extension: Extension.
        since: Begin of the span, UTC.
        until: Its end, UTC, exclusive.
        listed: What the listing has.
        counted: What the archive counts.
    """

    product_code: str
    extension: str
    since: datetime
    until: datetime
    listed: Tally
    counted: Tally

    @property
    def counts_more(self) -> bool:
        """Whether files are missing from the listing."""
        return self.counted.files > self.listed.files


def disagreements(
    listed: pd.DataFrame, before: Sequence[Counted], after: Sequence[Counted], window: TimeWindow
) -> tuple[Disagreement, ...]:
    """Compare a listing with the counts from before and after it.

    Args:
        listed: A listing of all products and extensions of one device, with the columns of `frames.COLUMNS`.
        before: The archive's counts before the listing.
        after: The same after it.
        window: What was asked for, data time. Spans that reach out of it cannot be compared and are left out.

    Returns:
        By product, extension and time.
    """
    begun = listed[listed["begins_at"].ge(window.since) & listed["begins_at"].lt(window.until)]
    earlier, later = _by_span(before, window), _by_span(after, window)
    spans = {**earlier, **later}
    groups = dict(iter(begun.groupby([begun["product_code"].fillna(""), begun["extension"]])))
    found = [
        _compare(groups.get(span[:2], begun[:0]), span, earlier.get(span, Tally()), later.get(span, Tally()))
        for span in sorted(spans)
    ]
    return (*(one for one in found if one is not None), *_uncounted(groups, spans))


def short_spans(found: Iterable[Disagreement]) -> pd.DataFrame:
    """Return where the archive counts more files than it lists, as `comparing.Worlds` wants it."""
    return spans_frame((one.product_code, one.extension, one.since, one.until) for one in found if one.counts_more)


def counted_files(counts: Iterable[Counted]) -> int:
    """Return how many files are counted in all."""
    return sum(one.files for one in counts)


def _by_span(counts: Iterable[Counted], window: TimeWindow) -> dict[Span, Tally]:
    tallies: dict[Span, Tally] = {}
    for one in counts:
        if window.since <= one.since and one.until <= window.until:
            span = (one.product_code, one.extension, one.since, one.until)
            tally = tallies.get(span, Tally())
            tallies[span] = Tally(
                tally.files + one.files,
                _sum(tally.stored_bytes, one.stored_bytes),
                _sum(tally.plain_bytes, one.plain_bytes),
            )
    return tallies


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _compare(listed: pd.DataFrame, span: Span, before: Tally, after: Tally) -> Disagreement | None:
    _, _, since, until = span
    rows = listed[listed["begins_at"].ge(since) & listed["begins_at"].lt(until)]
    ours = Tally(len(rows), _total(rows["stored_bytes"]), _total(rows["uncompressed_bytes"]))
    agreed = (
        min(before.files, after.files) <= ours.files <= max(before.files, after.files)
        and _is_between(ours.stored_bytes, before.stored_bytes, after.stored_bytes)
        and _is_between(ours.plain_bytes, before.plain_bytes, after.plain_bytes)
    )
    return None if agreed else Disagreement(*span, ours, after)


def _total(sizes: pd.Series[Any]) -> int | None:
    return None if sizes.isna().any() else int(sizes.sum())


def _is_between(ours: int | None, one: int | None, other: int | None) -> bool:
    if ours is None or one is None or other is None:
        return True
    return min(one, other) <= ours <= max(one, other)


def _uncounted(groups: Mapping[Any, pd.DataFrame], spans: Collection[Span]) -> Iterator[Disagreement]:
    """What is listed of days that the archive does not count at all."""
    for (product, extension), rows in sorted(groups.items()):
        left = rows
        for _, _, since, until in (span for span in spans if span[:2] == (product, extension)):
            left = left[left["begins_at"].lt(since) | left["begins_at"].ge(until)]
        for day, of_day in left.groupby(left["begins_at"].dt.floor("D")):
            ours = Tally(len(of_day), _total(of_day["stored_bytes"]), _total(of_day["uncompressed_bytes"]))
            begin = day.to_pydatetime()
            yield Disagreement(product, extension, begin, begin + _DAY, ours, Tally())
