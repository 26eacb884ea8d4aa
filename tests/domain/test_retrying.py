from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from onc_mirror.errors import ArchiveBusyError, StalledError, TokenRejectedError, TransientError
from onc_mirror.retrying import LONGEST_ASKED_WAIT_S, asked_wait_s, with_retries

if TYPE_CHECKING:
    from collections.abc import Callable


def failing(errors: list[Exception]) -> tuple[list[int], Callable[[], str]]:
    calls: list[int] = []

    def call() -> str:
        calls.append(len(calls))
        if errors:
            raise errors.pop(0)
        return "done"

    return calls, call


def test_transient_errors_are_tried_once_more_than_there_are_delays() -> None:
    calls, call = failing([StalledError("no byte")] * 5)

    with pytest.raises(StalledError):
        with_retries(call, (0.0, 0.0))

    assert len(calls) == 3


def test_a_retry_that_succeeds_gives_its_result() -> None:
    calls, call = failing([StalledError("no byte")])

    assert with_retries(call, (0.0, 0.0)) == "done"
    assert len(calls) == 2


def test_permanent_errors_are_not_tried_again() -> None:
    calls, call = failing([TokenRejectedError("no")])

    with pytest.raises(TokenRejectedError):
        with_retries(call, (0.0, 0.0))

    assert len(calls) == 1


def test_what_the_archive_asks_for_is_waited_for_within_bounds() -> None:
    assert asked_wait_s(ArchiveBusyError("busy", retry_after_s=30)) == 30
    assert asked_wait_s(ArchiveBusyError("busy", retry_after_s=1e9)) == LONGEST_ASKED_WAIT_S
    assert asked_wait_s(TransientError("any")) == 0
