from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from onc_mirror.errors import (
    ArchiveBusyError,
    ConnectTimeoutError,
    RefusedError,
    StalledError,
    StoreUnavailableError,
    TokenRejectedError,
    TransientError,
)
from onc_mirror.retrying import LONGEST_ASKED_WAIT_S, OncePerEvent, Patience, Retry, asked_wait_s, with_retries

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


def test_an_outage_that_one_has_waited_out_in_vain_is_tried_once_until_something_comes_through() -> None:
    patience = Patience()
    patience.end(RefusedError("down"))
    patience.end(StalledError("no byte"))  # may be of one file alone
    attempts = []
    for error in (RefusedError("down"), StalledError("no byte"), StoreUnavailableError("down")):
        calls, call = failing([error] * 5)
        with pytest.raises(type(error)):
            with_retries(call, (0.0,), patience=patience)
        attempts.append(len(calls))

    patience.renew()
    calls, call = failing([RefusedError("down")])

    assert attempts == [1, 2, 2]
    assert with_retries(call, (0.0,), patience=patience) == "done"


def test_permanent_errors_are_not_tried_again() -> None:
    calls, call = failing([TokenRejectedError("no")])

    with pytest.raises(TokenRejectedError):
        with_retries(call, (0.0, 0.0))

    assert len(calls) == 1


def test_what_the_archive_asks_for_is_waited_for_within_bounds() -> None:
    assert asked_wait_s(ArchiveBusyError("busy", retry_after_s=30)) == 30
    assert asked_wait_s(ArchiveBusyError("busy", retry_after_s=1e9)) == LONGEST_ASKED_WAIT_S
    assert asked_wait_s(TransientError("any")) == 0


def record_of(error: TransientError, *, attempt: int = 2, wait_s: float = 60) -> logging.LogRecord:
    return logging.makeLogRecord({"retry": Retry(error, wait_s, attempt, 4)})


def test_each_wait_is_told_and_the_last_failure_is_not(caplog: pytest.LogCaptureFixture) -> None:
    _, call = failing([StalledError("no byte", subject="a.hdf5")] * 3)

    with pytest.raises(StalledError):
        with_retries(call, (0.0, 0.01))

    assert [record.getMessage() for record in caplog.records if record.name == "onc_mirror.retrying"] == [
        "retry_in_s=0 of='a.hdf5' attempt=2 attempts=3 reason=stalled detail='no byte'",
        "retry_in_s=0 of='a.hdf5' attempt=3 attempts=3 reason=stalled detail='no byte'",
    ]


def test_an_archive_out_of_reach_is_told_without_the_device_it_was_asked_for() -> None:
    error = RefusedError("Nobody is there.", subject="TUMLIDAR001")

    assert Retry(error, 10.4, 2, 4, "listing of TUMLIDAR001").sentence == (
        "connection to the archive: Nobody is there. Trying again in 10 s (attempt 2 of 4)."
    )


def test_what_is_tried_again_is_told_once() -> None:
    error = ArchiveBusyError("Too busy.", subject="TUMLIDAR001", status=503)

    assert Retry(error, 10.4, 2, 4, "listing of TUMLIDAR001").sentence == (
        "listing of TUMLIDAR001: Too busy. (HTTP 503) Trying again in 10 s (attempt 2 of 4)."
    )


def test_what_all_threads_run_into_at_once_is_told_once() -> None:
    once, told = OncePerEvent(), []

    def tell() -> None:
        told.append(once.filter(record_of(RefusedError("no"))))

    threads = [threading.Thread(target=tell) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told) == [False] * 7 + [True]


def test_another_cause_or_attempt_or_file_and_a_later_event_are_news() -> None:
    once = OncePerEvent()

    assert once.filter(record_of(RefusedError("no"), wait_s=0))
    assert once.filter(record_of(RefusedError("no"), wait_s=60))
    assert once.filter(record_of(RefusedError("no"), attempt=3))
    assert once.filter(record_of(ConnectTimeoutError("no")))
    assert once.filter(record_of(StalledError("no", subject="a.hdf5")))
    assert once.filter(record_of(StalledError("no", subject="b.hdf5")))
    assert once.filter(logging.makeLogRecord({}))
