"""Metadata beside the objects of a folder, each file of it bound to one state of one object."""

from __future__ import annotations

import json
import os
from types import MappingProxyType
from typing import TYPE_CHECKING

from onc_mirror.store.folders import move, remove_empty

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from onc_mirror.store.folders import Partials


class Sidecars:
    """Metadata by key, change time and size. An object that changed otherwise than through the store has none."""

    def __init__(self, folder: Path, partials: Partials) -> None:
        self._folder = folder
        self._partials = partials

    def write(self, key: str, state: os.stat_result, metadata: Mapping[str, str]) -> None:
        """Describe the object that will have this state."""
        with self._partials.create() as (file, partial):
            file.write(json.dumps(dict(metadata), indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
            move(partial, self._path(key, state))

    def read(self, key: str, state: os.stat_result) -> Mapping[str, str]:
        """Return the metadata of the object in this state; empty when it has none."""
        try:
            text = self._path(key, state).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return MappingProxyType({})
        return MappingProxyType(json.loads(text))

    def remove(self, key: str, state: os.stat_result) -> None:
        """Forget one state of an object that is no more."""
        self._path(key, state).unlink(missing_ok=True)

    def remove_all(self, key: str) -> None:
        """Forget all states of an object."""
        folder = self._folder / key
        if folder.is_dir():
            for path in folder.glob("*.json"):
                if path.is_file():
                    path.unlink(missing_ok=True)
            remove_empty(folder, self._folder)

    def _path(self, key: str, state: os.stat_result) -> Path:
        return self._folder / key / f"{state.st_mtime_ns}-{state.st_size}.json"
