"""Proving that a downloaded file is readable, in processes that a hostile file may kill.

`Validator` is the whole interface. The parent process never imports h5py or numpy and never parses a file:
that happens in `worker`, a separate process with limits on memory, time, open files and written bytes.
"""

from __future__ import annotations

from onc_mirror.validation.reasons import OF_THE_PROCESS, Reason
from onc_mirror.validation.validator import Validator

__all__ = ["OF_THE_PROCESS", "Reason", "Validator"]
