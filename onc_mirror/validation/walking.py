"""The walk over every group and dataset of an open file: headers, types, shapes, chunk indexes, attributes.

Each object is visited once, by its address in the file, so hard links may form cycles. Only hard links are
followed: an external link, external storage or a virtual dataset never makes libhdf5 open another file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s

from onc_mirror.validation.datasets import check_dataset
from onc_mirror.validation.findings import text_of
from onc_mirror.validation.messages import brief, meaning, naming_errors
from onc_mirror.validation.reasons import FlawError, Reason

if TYPE_CHECKING:
    from onc_mirror.validation.findings import Findings

MOST_OBJECTS = 250_000
"""STRAWb files have some sixty; this many take about ten seconds."""

DEEPEST = 256
"""Levels of groups; STRAWb files have one."""

_LONGEST_SOFT_CHAIN = 16


class Walk:
    """One walk.

    Attributes:
        datasets: Paths of the datasets whose data lie in the file, in the order of the walk.
    """

    def __init__(self, findings: Findings, size: int) -> None:
        """Make ready.

        Args:
            findings: Receives what is met.
            size: Bytes of the file; nothing may lie behind them.
        """
        self.datasets: list[bytes] = []
        self._findings = findings
        self._size = size
        self._seen: set[int] = set()
        self._todo: list[tuple[Any, bytes, bytes]] = []
        self._links = 0
        self._first: FlawError | None = None

    def run(self, file: Any) -> None:
        """Visit everything that hard links reach from the root.

        Raises:
            FlawError: Something is broken, lies outside or there is too much of it; the first that was met. The
                walk goes on behind a broken object, and the notes name them all.
        """
        with naming_errors("/", Reason.BROKEN_STRUCTURE):
            self._seen.add(h5o.get_info(file).addr)
        self._visit(file, b"/", b"")
        if not self._todo and self._first is None:
            self._findings.note("no groups")
        while self._todo:
            parent, name, path = self._todo.pop()
            self._visit(parent, name, path)
        if self._first is not None:
            raise self._first

    def _visit(self, parent: Any, name: bytes, path: bytes) -> None:
        try:
            with naming_errors(text_of(path) or "/", Reason.BROKEN_STRUCTURE):
                self._look_at(h5o.open(parent, name), path)
        except FlawError as flaw:
            if flaw.reason in {Reason.TOO_COMPLEX, Reason.VALIDATOR_MEMORY}:
                raise
            self._remember(flaw)

    def _remember(self, flaw: FlawError) -> None:
        self._findings.note(f"{flaw.reason}: {flaw.detail}")
        self._first = self._first or flaw

    def _look_at(self, node: Any, path: bytes) -> None:
        if isinstance(node, h5d.DatasetID):
            described, here = check_dataset(node, text_of(path), self._size)
            self._findings.add_dataset(described)
            if here:
                self.datasets.append(path)
        elif isinstance(node, h5g.GroupID):
            if path:
                self._findings.add_group(text_of(path))
            self._queue_links(node, path)
        self._read_attributes(node, at_root=not path)

    def _queue_links(self, group: Any, path: bytes) -> None:
        if path.count(b"/") >= DEEPEST:
            raise FlawError(Reason.TOO_COMPLEX, f"Groups are nested deeper than {DEEPEST} levels.")
        links: list[tuple[bytes, int, int]] = []

        def on_link(name: bytes, link: Any) -> bool:
            links.append((name, link.type, link.u))
            return len(links) > MOST_OBJECTS  # True ends the iteration; an exception would not come out whole

        group.links.iterate(on_link, info=True)
        self._links += len(links)
        if self._links > MOST_OBJECTS:
            raise FlawError(Reason.TOO_COMPLEX, f"The file has more than {MOST_OBJECTS} links.")
        for name, kind, _ in links:
            if kind != h5l.TYPE_HARD:
                self._note_link(group, name, path + b"/" + name, kind)
        hard = [(name, address) for name, kind, address in links if kind == h5l.TYPE_HARD]
        for name, address in reversed(hard):
            if address not in self._seen:
                self._seen.add(address)
                self._todo.append((group, name, path + b"/" + name))

    def _note_link(self, group: Any, name: bytes, path: bytes, kind: int) -> None:
        if kind == h5l.TYPE_SOFT:
            if not _leads_somewhere(group, name):
                self._findings.note(f"soft link {text_of(path)} leads nowhere in this file")
        elif kind == h5l.TYPE_EXTERNAL:
            target = ":".join(map(text_of, group.links.get_val(name)))
            self._findings.note(f"external link {text_of(path)} to {target} was not followed")
        else:
            self._findings.note(f"link {text_of(path)} of an unknown kind was not followed")

    def _read_attributes(self, node: Any, *, at_root: bool) -> None:
        for name in _attribute_names(node):
            value = self._read_attribute(node, name)
            if at_root:
                self._findings.add_attribute(text_of(name), value)

    def _read_attribute(self, node: Any, name: bytes) -> Any:
        """Return its value; None when it has none or its type has no equivalent here."""
        attribute = h5a.open(node, name)
        if attribute.get_space().get_simple_extent_type() == h5s.NULL:
            return None
        try:
            value = np.empty(attribute.shape, attribute.dtype)
        except TypeError as error:
            if meaning(error) is not Reason.UNKNOWN_TYPE:
                raise
            self._findings.note(f"attribute {text_of(name)}: {brief(error)}")
            return None
        attribute.read(value)
        return value


def _attribute_names(node: Any) -> list[bytes]:
    names: list[bytes] = []
    if h5a.get_num_attrs(node):
        h5a.iterate(node, names.append)
    return names


def _leads_somewhere(group: Any, name: bytes, chain: int = 0) -> bool:
    """Whether a soft link ends at an object of this file.

    Only hard links are gone through, but for the last part of the target, which may be a soft link again.
    """
    target: bytes = group.links.get_val(name)
    here = h5o.open(group, b"/") if target.startswith(b"/") else group
    parts = [part for part in target.split(b"/") if part not in {b"", b"."}]
    for index, part in enumerate(parts):
        if not isinstance(here, h5g.GroupID) or not here.links.exists(part):
            return False
        kind = here.links.get_info(part).type
        if kind == h5l.TYPE_SOFT and chain < _LONGEST_SOFT_CHAIN and index == len(parts) - 1:
            return _leads_somewhere(here, part, chain + 1)
        if kind != h5l.TYPE_HARD:
            return False
        here = h5o.open(here, part)
    return True
