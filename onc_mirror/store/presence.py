"""Which objects a store held when a run first asked about their folder: one request for a folder, not one per object.

It says where a look is worth its request, no more: objects come and go afterwards, and some stores list a new object
late. Whoever is about to overwrite one looks at that one.
"""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from onc_mirror.store import ObjectStore

LARGEST_FOLDER = 5000
"""Objects in a folder that are looked through; a folder with more is taken to hold everything."""

_FOLDERS = 100


class Presence:
    """Remembers folders, the latest hundred. Thread-safe."""

    def __init__(self, store: Callable[[], ObjectStore], *, largest_folder: int = LARGEST_FOLDER) -> None:
        self._store = store
        self._largest_folder = largest_folder
        self._lock = threading.Lock()
        self._folders: dict[str, frozenset[str] | None] = {}

    def may_hold(self, key: str) -> bool:
        """Say whether the store may hold an object under `key`.

        Raises:
            MirrorError: The store does not list.
        """
        folder = key[: key.rindex("/") + 1]
        with self._lock:  # others who ask meanwhile mostly ask about the same folder
            if folder not in self._folders:
                self._folders[folder] = self._list(folder)
                if len(self._folders) > _FOLDERS:
                    self._folders.pop(next(iter(self._folders)))
            keys = self._folders[folder]
        return keys is None or key in keys

    def _list(self, folder: str) -> frozenset[str] | None:
        listed = itertools.islice(self._store().list(folder), self._largest_folder + 1)
        keys = frozenset(found.key for found in listed)
        return keys if len(keys) <= self._largest_folder else None
