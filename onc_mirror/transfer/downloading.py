"""One archive file into scratch: streamed, hashed on the way, and under its good name only when it is whole.

Guarantees: memory does not grow with the file; a body that is surely not the file is refused before a byte is
written; while bytes are missing the file is called `<name>.part`, and what failed leaves nothing; no more is
written than the archive's listing says the file has.

It does not say whether the bytes make sense: that is validation. It does not go on where a broken download ended,
since nobody knows whether the archive serves ranges: each attempt begins with the first byte.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from onc_mirror.errors import TooLargeError, WrongBodyError, WrongSizeError
from onc_mirror.layout import check_name
from onc_mirror.model import Fetched
from onc_mirror.scratch import room_on_disk
from onc_mirror.transfer.sniffing import SNIFFED_BYTES, impostor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from onc_mirror.archive import Archive
    from onc_mirror.archive.port import ReadableBody
    from onc_mirror.model import ArchiveFile

logger = logging.getLogger(__name__)

# Measured: larger pieces cost no less CPU, and hashing them misses the cache more often.
CHUNK_BYTES = 2**18


def download(
    archive: Archive,
    file: ArchiveFile,
    folder: Path,
    *,
    progress: Callable[[int], None] | None = None,
    most_bytes: int | None = None,
) -> Fetched:
    """Download `file` into `folder`, repeating quickly what failed in a transient way.

    A file whose size the archive does not list is taken as it comes, and a warning says so; but its body must say
    itself where it ends.

    Args:
        archive: Where it comes from.
        file: The archive row.
        folder: An empty folder of its own, as `Scratch.slot` gives.
        progress: Called with the bytes that came since its last call; negative when they have to come again.
        most_bytes: What may be written of a file of unknown size; None: no bound. A listed size is its own bound.

    Raises:
        UnsafeNameError: The name cannot be a file name; nothing was asked.
        NotReadyError: The archive does not hand the file out, or not yet.
        WrongBodyError: An HTML page, JSON or gzip is in its place.
        WrongSizeError: The body is whole, but not of the listed size; or nobody says how long it is.
        TruncatedBodyError: The body ended before its announced length.
        ScratchFullError: The disk has no room for it or fails.
        TooLargeError: Its size is not listed, and it is larger than `most_bytes`.
        MirrorError: As the archive's `transport` names it.
    """
    path = folder / check_name(file.filename)
    return archive.repeat_quickly(lambda: _attempt(archive, file, path, progress or _unwatched, most_bytes))


def _attempt(
    archive: Archive, file: ArchiveFile, path: Path, progress: Callable[[int], None], most_bytes: int | None
) -> Fetched:
    with archive.open_file(file.filename) as body:
        head = _checked_head(body, file)
        part = path.with_name(f"{path.name}.part")
        with room_on_disk(part):
            try:
                with part.open("wb") as sink:
                    fetched = _receive(body, head, sink, path, file, progress, most_bytes)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
    if file.expected_bytes is None:
        detail = "The archive lists no size; taken as it came."
        logger.warning("file=%s bytes=%d detail=%r", path.name, fetched.size_bytes, detail)
    return fetched


def _checked_head(body: ReadableBody, file: ArchiveFile) -> bytes:
    head = body.read(SNIFFED_BYTES)
    if what := impostor(head, file.extension):
        raise WrongBodyError(
            f"The archive sent {what} in its place. Try again; if it goes on, the archive or a proxy is in trouble.",
            subject=file.filename,
        )
    if body.announced_bytes is not None:
        _check_size(body.announced_bytes, file, "announces")
    if file.expected_bytes is None and not body.marks_its_end:
        raise WrongSizeError(
            "Nobody says how long it is: the archive lists no size, and its answer does not say where it ends."
            " Try again; if it stays so, ask ONC for its size.",
            subject=file.filename,
        )
    return head


def _receive(  # noqa: PLR0913, PLR0917 - one story, cut where it is read
    body: ReadableBody,
    head: bytes,
    sink: BinaryIO,
    path: Path,
    file: ArchiveFile,
    progress: Callable[[int], None],
    most_bytes: int | None,
) -> Fetched:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    received = 0
    whole = False
    chunk = head
    try:
        while chunk:
            received += len(chunk)
            progress(len(chunk))
            if file.expected_bytes is not None and received > file.expected_bytes:
                _check_size(received, file, "sends at least")
            if file.expected_bytes is None and most_bytes is not None and received > most_bytes:
                raise TooLargeError(
                    f"The archive lists no size for it and sends more than {most_bytes} bytes, the scratch budget."
                    " Raise ONC_MIRROR_SCRATCH_BUDGET when files may be so large.",
                    subject=file.filename,
                )
            sha256.update(chunk)
            md5.update(chunk)
            sink.write(chunk)
            chunk = body.read(CHUNK_BYTES)
        _check_size(received, file, "sent")
        whole = True
    finally:
        if not whole:
            progress(-received)
    return Fetched(path, received, sha256.hexdigest(), md5.hexdigest())


def _check_size(size_bytes: int, file: ArchiveFile, verb: str) -> None:
    if file.expected_bytes not in {None, size_bytes}:
        raise WrongSizeError(
            f"The archive lists {file.expected_bytes} bytes and {verb} {size_bytes}."
            " Try again; if it stays so, ask ONC which of the two is right.",
            subject=file.filename,
        )


def _unwatched(_: int) -> None:
    pass
