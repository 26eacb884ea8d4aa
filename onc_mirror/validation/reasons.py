"""Why a file did not reach the grade that was asked for: the fixed slugs of `Verdict.reason`.

What is only worth knowing (a dangling soft link, an external link that was not followed, a file without
groups, bytes behind the end of the data) is no reason: it goes into `found["notes"]` and the file passes.
"""

from __future__ import annotations

import enum


class Reason(enum.StrEnum):
    """A fixed slug; the comment at each says what was seen."""

    EMPTY_FILE = "empty-file"  # no bytes at all
    NOT_HDF5 = "not-hdf5"  # no HDF5 signature where one may be
    TRUNCATED_FILE = "truncated-file"  # shorter than its own superblock says
    STILL_OPEN = "still-open"  # marked as open for writing; no reader may open it
    STILL_OPEN_SWMR = "still-open-swmr"  # as above, but readable beside its writer; the grade says how far
    BROKEN_STRUCTURE = "broken-structure"  # a header, link, index or attribute cannot be read
    TOO_COMPLEX = "too-complex"  # more objects or deeper nesting than the walk allows
    EXTERNAL_STORAGE = "external-storage"  # raw data lie in other files, which are never opened
    VIRTUAL_SOURCE = "virtual-source"  # a virtual dataset maps other files, which are never opened
    UNDECODABLE_CHUNK = "undecodable-chunk"  # data are there, but their filters reject them
    UNKNOWN_FILTER = "unknown-filter"  # the data need a filter plugin; none is ever loaded
    UNKNOWN_TYPE = "unknown-type"  # h5py has no equivalent for the type of a dataset
    VALIDATOR_CRASHED = "validator-crashed"  # the process died of the file
    VALIDATOR_TIMEOUT = "validator-timeout"  # no verdict in time
    VALIDATOR_MEMORY = "validator-memory"  # does not fit into the memory limit


OF_THE_PROCESS = frozenset({Reason.VALIDATOR_CRASHED, Reason.VALIDATOR_TIMEOUT, Reason.VALIDATOR_MEMORY})
"""Reasons that tell what became of the process: a machine short of memory or time gives them to sound bytes too."""


class FlawError(Exception):
    """A flaw of the file, on its way to becoming its verdict. It does not leave this package.

    Attributes:
        reason: The slug.
        detail: One sentence for people.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
