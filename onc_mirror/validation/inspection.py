"""One file, grade by grade. Runs in the worker only: everything from here down parses what others wrote.

The file is opened read-only, without locks, and nothing that lies outside of it is ever opened.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from h5py import h5f, h5o, h5p

from onc_mirror.model import Grade, Verdict
from onc_mirror.validation.decoding import decode
from onc_mirror.validation.findings import Findings, text_of
from onc_mirror.validation.messages import LIBRARY_ERRORS, brief, meaning, naming_errors
from onc_mirror.validation.reasons import FlawError, Reason
from onc_mirror.validation.superblock import Superblock, read_superblock
from onc_mirror.validation.walking import Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def inspect(path: str, grade: Grade, memory_bytes: int, announce: Callable[[Grade], None]) -> Verdict:
    """Prove the file at `path` up to `grade`.

    Args:
        path: The file; not empty.
        grade: How far to go, at least `OPEN`.
        memory_bytes: A chunk larger than this is not tried.
        announce: Called with each grade as it is passed, so that it is known even when this process dies later.

    Returns:
        The verdict. A file that is marked as still open beside readers has that as its reason whatever else is
        found, because all else may be due to it; its grade says how far it was read.

    Raises:
        OSError: The file cannot be read at all.
    """
    superblock = read_superblock(path)
    inspection = _Inspection(path, superblock, announce)
    flaw: FlawError | None = None
    try:
        inspection.run(grade, memory_bytes)
    except FlawError as error:
        flaw = error
    except MemoryError:
        flaw = FlawError(Reason.VALIDATOR_MEMORY, "The file does not fit into the memory limit.")
    return inspection.verdict(flaw)


class _Inspection:
    def __init__(self, path: str, superblock: Superblock | None, announce: Callable[[Grade], None]) -> None:
        self._path = path
        self._superblock = superblock
        self._announce = announce
        self._passed = Grade.SIZE
        self._findings = Findings()

    def run(self, grade: Grade, memory_bytes: int) -> None:
        size = Path(self._path).stat().st_size
        with _opened(self._path, self._superblock, size) as file:
            self._pass(Grade.OPEN)
            self._note_tail(size)
            if grade.rank < Grade.STRUCTURE.rank:
                return
            walk = Walk(self._findings, size)
            walk.run(file)
            self._pass(Grade.STRUCTURE)
            if grade is Grade.CONTENT:
                self._decode_all(file, walk.datasets, memory_bytes)
                self._pass(Grade.CONTENT)

    def verdict(self, flaw: FlawError | None) -> Verdict:
        found = self._findings.to_json()
        if self._superblock is not None and self._superblock.swmr:
            detail = f"Marked as still being written; readable beside its writer up to grade {self._passed}."
            detail += f" {flaw.reason}: {flaw.detail}" if flaw else ""
            return Verdict(self._passed, Reason.STILL_OPEN_SWMR, detail, found)
        if flaw is not None:
            return Verdict(self._passed, flaw.reason, flaw.detail, found)
        return Verdict(self._passed, found=found)

    def _pass(self, grade: Grade) -> None:
        self._passed = grade
        self._announce(grade)

    def _note_tail(self, size: int) -> None:
        block = self._superblock
        if block is not None and block.end_bytes is not None and not block.writing and size > block.end_bytes:
            self._findings.note(f"{size - block.end_bytes} bytes behind the end of the HDF5 data")

    def _decode_all(self, file: Any, datasets: list[bytes], memory_bytes: int) -> None:
        first: FlawError | None = None
        for path in datasets:
            try:
                with naming_errors(text_of(path), Reason.UNDECODABLE_CHUNK):
                    decode(h5o.open(file, path), text_of(path), memory_bytes)
            except FlawError as flaw:
                self._findings.note(f"{flaw.reason}: {flaw.detail}")
                first = first or flaw
                if flaw.reason is Reason.VALIDATOR_MEMORY:
                    break
        if first is not None:
            raise first


@contextmanager
def _opened(path: str, superblock: Superblock | None, size: int) -> Iterator[Any]:
    if superblock is None:
        raise FlawError(Reason.NOT_HDF5, "No HDF5 signature at the places where one may be.")
    flags = h5f.ACC_RDONLY | (h5f.ACC_SWMR_READ if superblock.swmr else 0)
    try:
        file = h5f.open(path.encode("utf-8", "surrogateescape"), flags, fapl=_access())
    except LIBRARY_ERRORS as error:
        raise _why_not_opened(error, superblock, size) from None
    try:
        yield file
    finally:
        with naming_errors("on closing", Reason.BROKEN_STRUCTURE):
            file.close()


def _access() -> Any:
    """Every object closes with its file; no chunk is cached, as each is read once; no lock is taken."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    access.set_cache(0, 521, 0, 0.75)
    access.set_file_locking(False, True)
    return access


def _why_not_opened(error: Exception, superblock: Superblock, size: int) -> FlawError:
    named = meaning(error)
    if named in {Reason.BROKEN_STRUCTURE, Reason.VALIDATOR_MEMORY}:  # the superblock itself cannot be believed
        return FlawError(named, brief(error))
    if superblock.end_bytes is not None and size < superblock.end_bytes:
        return FlawError(Reason.TRUNCATED_FILE, f"{size} bytes are here of {superblock.end_bytes}.")
    if superblock.writing:
        return FlawError(Reason.STILL_OPEN, "Marked as open for writing; its writer did not close it.")
    return FlawError(named or Reason.BROKEN_STRUCTURE, brief(error))
