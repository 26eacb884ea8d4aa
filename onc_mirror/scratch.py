"""Room for downloads in progress: a private folder per file, within a budget of bytes, and nothing left behind.

Guarantees: the slots that are open at the same time have promised no more bytes than the budget, but for a single
file larger than the budget, which runs alone; slots are given in the order they were asked for; a slot's folder is
gone after its `with` block whatever happened; the leftovers of a killed run are removed when the next one opens
the same scratch folder, and those of a run that lives never are.

All of it happens in `onc-mirror-scratch` inside the folder of the settings, which may hold other people's work: only
what is in there, is called as runs call their folders, and holds their lock file is ever removed.

A run is alive while somebody holds the lock (`flock`) on the lock file in its folder; the kernel lets go of it when
the process ends, however it ends. The folder gets its final name only after that lock is taken, so that nobody
ever sees it unlocked. The lock file is the last to go, so that what is left of a removal is known as ours.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import math
import os
import re
import shutil
import tempfile
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from onc_mirror.errors import ScratchFullError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

_OWN = "onc-mirror-scratch"
_RUN = "onc-mirror-run-"
_NEW = "onc-mirror-being-made-"
_LOCK = "onc-mirror.lock"
# What follows the prefixes is the process id and what `tempfile` makes up.
_RUN_NAME = re.compile(rf"{_RUN}[0-9]+-[a-z0-9_]{{8}}")
_NEW_NAME = re.compile(rf"{_NEW}[a-z0-9_]{{8}}")
# A run needs microseconds from making its folder to locking and naming it.
_STILLBORN_AFTER_S = 3600.0
# EFBIG: the file system, or a limit of the process, allows no larger file.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Scratch:
    """The scratch folder of one run. Thread-safe; close it, or use it in a `with` statement."""

    def __init__(self, directory: Path, budget_bytes: int, *, variable: str = "ONC_MIRROR_SCRATCH_DIR") -> None:
        """Open scratch under `directory`, which is created when missing, and remove what killed runs left there.

        Args:
            directory: On a local disk; several runs may share it, each with a budget of its own. What else is in
                there is left alone.
            budget_bytes: What slots may promise together.
            variable: The setting that says where it is, to name it.

        Raises:
            SettingsError: The folder cannot be created, written or locked.
        """
        self._directory = directory
        self._budget_bytes = budget_bytes
        self._turn = threading.Condition()
        self._queue: deque[object] = deque()
        self._promised: dict[Path, int] = {}
        try:
            own = _own_folder(directory)
            self._folder, self._lock = _new_run(own)
            _remove_leftovers(own)
        except OSError as error:
            raise SettingsError(
                f"{variable}: {directory} cannot be used ({error.strerror})."
                " It must be a writable folder on a local disk."
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the run's folder with all that is in it."""
        _remove_run(self._folder)
        os.close(self._lock)

    @contextmanager
    def slot(self, expected_bytes: int | None) -> Iterator[Path]:
        """Wait for room and give the `with` block an empty private folder.

        Args:
            expected_bytes: What will be written there; None when nobody knows, which takes the whole budget.

        Raises:
            ScratchFullError: The disk has no room for so much, though no other slot is open; or no folder can be
                made there, as on a disk without inodes or one that fails.
        """
        promised = self._budget_bytes if expected_bytes is None else expected_bytes
        folder = self._admit(promised, expected_bytes or 0)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with self._turn:
                del self._promised[folder]
                self._turn.notify_all()

    def _admit(self, promised_bytes: int, needed_bytes: int) -> Path:
        ticket = object()
        with self._turn:
            self._queue.append(ticket)
            try:
                self._turn.wait_for(lambda: self._queue[0] is ticket and self._fits(promised_bytes, needed_bytes))
                if self._room_bytes() < needed_bytes:
                    raise self._full(needed_bytes)
                folder = Path(tempfile.mkdtemp(prefix="file-", dir=self._folder))
                self._promised[folder] = promised_bytes
            except OSError as error:
                raise ScratchFullError(
                    f"{self._directory} takes no new folder ({error.strerror})."
                    " Look after that disk, or set ONC_MIRROR_SCRATCH_DIR to another one."
                ) from None
            finally:
                self._queue.remove(ticket)
                self._turn.notify_all()
        return folder

    def _fits(self, promised_bytes: int, needed_bytes: int) -> bool:
        if not self._promised:
            return True
        within_budget = sum(self._promised.values()) + promised_bytes <= self._budget_bytes
        return within_budget and self._room_bytes() >= needed_bytes

    def _room_bytes(self) -> int:
        """Bytes free on the disk that no open slot still has to write."""
        outstanding = sum(max(0, promised - _bytes_in(folder)) for folder, promised in self._promised.items())
        return shutil.disk_usage(self._folder).free - outstanding

    def _full(self, needed_bytes: int) -> ScratchFullError:
        return ScratchFullError(
            f"No room in {self._directory} for {needed_bytes} bytes, {self._room_bytes()} are free."
            " Free some, or set ONC_MIRROR_SCRATCH_DIR to a larger disk."
        )


def bytes_used(directory: Path) -> int:
    """Return the bytes that all runs together have in the scratch folder `directory` at this moment."""
    total = 0
    for folder, _, names in os.walk(directory / _OWN):
        for name in names:
            with suppress(OSError):  # renamed or removed while we look
                total += (Path(folder) / name).lstat().st_size
    return total


def bytes_free(directory: Path) -> int:
    """Return the bytes that are free on the disk of `directory`, or of where it would be made."""
    # Not `Path.exists`, which raises where one may not look.
    there = next(folder for folder in (directory, *directory.parents) if os.path.exists(folder))  # noqa: PTH110
    return shutil.disk_usage(there).free


@contextmanager
def room_on_disk(part: Path) -> Iterator[None]:
    """Name what the scratch disk refuses while `part`, in a slot's folder, is written.

    Raises:
        ScratchFullError: It has no room, or fails.
    """
    try:
        yield
    except OSError as error:
        folder = part.parent.parent
        text = f"{folder} cannot be written ({error.strerror}). Look after that disk, or set"
        advice = " ONC_MIRROR_SCRATCH_DIR to another one."
        if error.errno in _NO_ROOM:
            text = f"No room in {folder}, {_free_bytes(folder)} bytes are free ({error.strerror}). Free some, or set"
            advice = " ONC_MIRROR_SCRATCH_DIR to a larger disk."
        raise ScratchFullError(text + advice, subject=part.name.removesuffix(".part")) from None


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _own_folder(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    own = directory / _OWN
    own.mkdir(mode=0o700, exist_ok=True)
    if own.is_symlink():
        raise NotADirectoryError(errno.ENOTDIR, f"{_OWN} in it is a link")
    own.chmod(0o700)
    return own


def _new_run(own: Path) -> tuple[Path, int]:
    new = Path(tempfile.mkdtemp(prefix=_NEW, dir=own))
    lock = None
    try:
        lock = os.open(new / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder = own / f"{_RUN}{os.getpid()}-{new.name.removeprefix(_NEW)}"
        new.rename(folder)
    except OSError:
        if lock is not None:
            os.close(lock)
        shutil.rmtree(new, ignore_errors=True)
        raise
    return folder, lock


def _remove_leftovers(own: Path) -> None:
    for folder in own.iterdir():
        if folder.is_symlink() or not folder.is_dir():
            continue
        if _RUN_NAME.fullmatch(folder.name):
            _remove_when_dead(folder)
        elif _NEW_NAME.fullmatch(folder.name) and time.time() - _changed_at(folder) > _STILLBORN_AFTER_S:
            shutil.rmtree(folder, ignore_errors=True)


def _changed_at(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:  # its run has just given it its final name
        return math.inf


def _remove_when_dead(folder: Path) -> None:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:  # its run was killed, or is closing, in its last step; or it is not ours
        with suppress(OSError):
            folder.rmdir()  # goes only when empty
        return
    except OSError:  # another user's, or no file of ours
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # that run is alive
        pass
    else:
        _remove_run(folder)
        logger.info("scratch=%s decision=removed detail=%r", folder, "A killed run left it.")
    finally:
        os.close(lock)


def _remove_run(folder: Path) -> None:
    """Remove a run's folder whose lock we hold, as far as possible, the lock file last."""
    with suppress(OSError):
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != _LOCK:
                entry.unlink(missing_ok=True)
        if [entry.name for entry in folder.iterdir()] == [_LOCK]:
            (folder / _LOCK).unlink()
            folder.rmdir()


def _bytes_in(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(entry.stat().st_size for entry in entries)
    except FileNotFoundError:  # renamed or removed while we looked
        return 0
