"""What a file contains in few words, and what changed when the archive put another under its name. Pure.

A content as text is JSON of at most 20 kB, and mostly of one: it stands in the ledger for each mirrored file. Its
datasets are listed by their shape and type, as most of a file's have the same; when there are too many for that,
their hash still tells whether they changed.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from onc_mirror.utc import text_or_none, time_or_none
from onc_mirror.wording import counted, printable, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from onc_mirror.model import ArchiveFile, Fetched, Verdict

LONGEST_TEXT = 20_000
"""Bytes of a content as text."""

_MOST_NAMED = 3
_LONGEST_PATH = 80


@dataclass(frozen=True, slots=True)
class Content:
    """What a proven copy of a file contains, in few words.

    Attributes:
        size_bytes: Its size.
        begins_at: The first instant of its data, as the archive said when it was fetched.
        ends_at: The instant after its data.
        datasets: Shape and type of each dataset by its path; None when unknown or too many.
        dataset_count: How many datasets; None when unknown.
        digest: Of `datasets`, also where those are too many to keep; None when unknown.
    """

    size_bytes: int
    begins_at: datetime | None
    ends_at: datetime | None
    datasets: Mapping[str, str] | None = field(default=None, hash=False)
    dataset_count: int | None = None
    digest: str | None = None


def content_of(file: ArchiveFile, fetched: Fetched, verdict: Verdict) -> Content:
    """What validation found in a download, in few words."""
    described = verdict.found.get("datasets")
    if described is None:
        return Content(fetched.size_bytes, file.begins_at, file.ends_at)
    datasets = {str(dataset.get("path")): _kind(dataset) for dataset in described}
    count = int(verdict.found.get("dataset_count", len(datasets)))
    whole = count == len(datasets)
    return Content(
        fetched.size_bytes,
        file.begins_at,
        file.ends_at,
        MappingProxyType(datasets) if whole else None,
        count,
        _digest(datasets),
    )


def content_text(content: Content) -> str:
    """Return a content as JSON of at most `LONGEST_TEXT` bytes."""
    facts: dict[str, Any] = {
        "bytes": content.size_bytes,
        "begins_at": text_or_none(content.begins_at),
        "ends_at": text_or_none(content.ends_at),
        "dataset_count": content.dataset_count,
        "digest": content.digest,
    }
    if content.datasets is not None:
        by_kind: dict[str, list[str]] = {}
        for path, kind in content.datasets.items():
            by_kind.setdefault(kind, []).append(path)
        text = json.dumps(facts | {"datasets": by_kind}, separators=(",", ":"))
        if len(text) <= LONGEST_TEXT:
            return text
    return json.dumps(facts, separators=(",", ":"))


def read_content(text: str | None) -> Content | None:
    """Return the content that `content_text` wrote; None for what it did not write."""
    with suppress(AttributeError, KeyError, TypeError, ValueError):
        facts = json.loads(text or "")
        by_kind = facts.get("datasets")
        datasets = None if by_kind is None else {path: kind for kind, paths in by_kind.items() for path in paths}
        return Content(
            facts["bytes"],
            time_or_none(facts["begins_at"]),
            time_or_none(facts["ends_at"]),
            None if datasets is None else MappingProxyType(datasets),
            facts["dataset_count"],
            facts["digest"],
        )
    return None


def what_changed(was: Content, now: Content) -> str:
    """Say in one sentence how the content under a name differs from the one before: size, time span, datasets.

    At most three changes of shape are told, each with three of its datasets. Other bytes of the same
    description say so.
    """
    told = [*_size_changed(was, now), *_span_changed(was, now), *_datasets_changed(was, now)]
    if not told:
        return "Archived again with other bytes; size, time span and shapes are as they were."
    return f"Archived again: {'; '.join(told)}."


def _size_changed(was: Content, now: Content) -> Iterator[str]:
    if was.size_bytes != now.size_bytes:
        old, new = size_text(was.size_bytes), size_text(now.size_bytes)
        exact = old == new
        yield f"{was.size_bytes} bytes became {now.size_bytes}" if exact else f"{old} became {new}"


def _span_changed(was: Content, now: Content) -> Iterator[str]:
    for what, old, new in (("begin", was.begins_at, now.begins_at), ("end", was.ends_at, now.ends_at)):
        if old != new:
            since, before = text_or_none(new) or "no known time", text_or_none(old) or "none"
            yield f"its data {what} at {since}, before at {before}"


def _datasets_changed(was: Content, now: Content) -> Iterator[str]:
    if was.dataset_count is None or now.dataset_count is None or was.digest == now.digest:
        return
    if was.datasets is None or now.datasets is None:
        numbers = f"{was.dataset_count} before, {now.dataset_count} now"
        yield f"its datasets differ ({numbers})"
        return
    common = was.datasets.keys() & now.datasets.keys()
    reshaped: dict[tuple[str, str], list[str]] = {}
    for path in sorted(common):
        if was.datasets[path] != now.datasets[path]:
            reshaped.setdefault((was.datasets[path], now.datasets[path]), []).append(path)
    alike = [f"{now_is} instead of {was_is}: {_named(paths)}" for (was_is, now_is), paths in reshaped.items()]
    yield from alike[:_MOST_NAMED]
    if len(alike) > _MOST_NAMED:
        yield f"and {counted(len(alike) - _MOST_NAMED, 'other change')} of shapes"
    for lead, paths in (("new", now.datasets.keys() - common), ("no more", was.datasets.keys() - common)):
        if paths:
            yield f"{lead}: {_named(sorted(paths))}"


def _named(paths: Sequence[str]) -> str:
    more = len(paths) - _MOST_NAMED
    return ", ".join(map(_path, paths[:_MOST_NAMED])) + (f" and {more} more" if more > 0 else "")


def _kind(dataset: Mapping[str, Any]) -> str:
    shape = dataset.get("shape")
    size = "x".join(map(str, shape)) or "scalar" if isinstance(shape, list) else "no shape"
    return f"{size} {dataset.get('dtype', '')}".rstrip()[:_LONGEST_PATH]


def _path(path: str) -> str:
    path = printable(path)
    return path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}..."


def _digest(datasets: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(datasets, sort_keys=True).encode()).hexdigest()[:16]
