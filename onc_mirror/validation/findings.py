"""What a file contains, as a JSON-ready value of bounded size: `Verdict.found`."""

from __future__ import annotations

import json
import math
from typing import Any

BUDGETS = {"groups": 12_288, "datasets": 32_768, "attributes": 12_288, "notes": 6_144}
"""Bytes of JSON that each part may take; together below 64 KiB. What does not fit sets `truncated`."""

_LONGEST_TEXT = 1_000
_LONGEST_ARRAY = 300  # the calibration arrays of the mini spectrometers have 288 values


class Findings:
    """Collects while a file is walked.

    `found` holds `groups` (paths, `/` left out), `datasets` (path, shape, dtype, layout, chunks, filters),
    `attributes` (of the root), `notes`, the counts of all groups and datasets, and `truncated`.
    """

    def __init__(self) -> None:
        self._lists: dict[str, list[Any]] = {"groups": [], "datasets": [], "notes": []}
        self._attributes: dict[str, Any] = {}
        self._left = dict(BUDGETS)
        self._counts = {"groups": 0, "datasets": 0}
        self._truncated = False

    def add_group(self, path: str) -> None:
        """Record a group."""
        self._counts["groups"] += 1
        self._append("groups", path)

    def add_dataset(self, dataset: dict[str, Any]) -> None:
        """Record a dataset; its values must be JSON-ready."""
        self._counts["datasets"] += 1
        self._append("datasets", dataset)

    def add_attribute(self, name: str, value: Any) -> None:
        """Record an attribute of the root."""
        ready = jsonable(value)
        self._truncated |= getattr(value, "size", 1) > _LONGEST_ARRAY
        if self._fits("attributes", [name, ready]):
            self._attributes[name] = ready

    def note(self, text: str) -> None:
        """Record what people may want to know about a file."""
        self._append("notes", text[:_LONGEST_TEXT])

    def to_json(self) -> dict[str, Any]:
        """Return all of it; `json.dumps` of it stays below 64 KiB."""
        return {
            **self._lists,
            "attributes": self._attributes,
            "group_count": self._counts["groups"],
            "dataset_count": self._counts["datasets"],
            "truncated": self._truncated,
        }

    def _append(self, part: str, item: Any) -> None:
        if self._fits(part, item):
            self._lists[part].append(item)

    def _fits(self, part: str, item: Any) -> bool:
        cost = len(json.dumps(item)) + 2
        fits = cost <= self._left[part]
        if fits:
            self._left[part] -= cost
        self._truncated |= not fits
        return fits


def text_of(name: bytes) -> str:
    """Decode a name of the file; what is no UTF-8 is replaced."""
    return name.decode("utf-8", "replace")


def jsonable(value: Any) -> Any:
    """Turn an attribute's value into JSON's own types.

    Integers stay exact (device file ids exceed 2**63), NaN and infinities become None, bytes are decoded, arrays
    become lists; long texts are cut, long arrays are flattened and cut. What JSON has no word for becomes text.
    """
    if hasattr(value, "tolist"):  # a numpy array or scalar, without importing numpy here
        value = (value if value.size <= _LONGEST_ARRAY else value.ravel()[:_LONGEST_ARRAY]).tolist()
    if isinstance(value, bytes):
        return text_of(value[: 4 * _LONGEST_TEXT])[:_LONGEST_TEXT]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()[:_LONGEST_TEXT]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple):
        return [jsonable(part) for part in value[:_LONGEST_ARRAY]]
    return str(value)[:_LONGEST_TEXT]
