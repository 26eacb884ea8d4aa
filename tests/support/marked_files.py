"""Files whose soundness is a word in them, and a validator that reads that word: microseconds instead of libhdf5.

For tests that are about something else than HDF5 and make thousands of runs. Real files, and the processes that judge
them, have tests of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from onc_mirror.model import HDF5_EXTENSIONS, HDF5_SIGNATURE, Grade, Verdict
from onc_mirror.validation import Reason, Validator

if TYPE_CHECKING:
    from pathlib import Path

SOUND = HDF5_SIGNATURE + b"sound   "
BROKEN = HDF5_SIGNATURE + b"broken  "
STILL_OPEN = HDF5_SIGNATURE + b"open    "

_ENOUGH_BYTES = 2**28


class MarkedValidator(Validator):
    """Judges by the word behind the signature; starts no process."""

    def __init__(self) -> None:
        super().__init__(timeout_s=1.0, memory_bytes=_ENOUGH_BYTES, processes=1)

    def validate(self, path: Path, name: str, grade: Grade) -> Verdict:
        if name.rpartition(".")[2].lower() not in HDF5_EXTENSIONS:
            return super().validate(path, name, grade)
        return judge(path.read_bytes(), grade)


def judge(body: bytes, grade: Grade = Grade.CONTENT) -> Verdict:
    """What the validator says of an HDF5 file with these bytes."""
    if body.startswith(SOUND):
        return Verdict(grade, found={"groups": [], "datasets": [], "attributes": {}})
    if grade is Grade.SIZE:
        return Verdict(grade)
    if body.startswith(STILL_OPEN):
        return Verdict(Grade.SIZE, Reason.STILL_OPEN_SWMR, "Its writer still has it open.")
    return Verdict(Grade.SIZE, Reason.UNDECODABLE_CHUNK, "It is marked as broken.")
