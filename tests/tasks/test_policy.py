from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING

import pytest
from prefect import Task, task
from prefect.client.schemas.objects import TaskRun
from prefect.states import Failed

import tasks
from onc_mirror.errors import (
    ArchiveBusyError,
    MirrorError,
    RefusedError,
    StalledError,
    TokenRejectedError,
    UnexpectedError,
)
from onc_mirror.retrying import Patience
from tasks.policy import retries, safely
from tests.support.secrecy import everything_printed

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "canary-0f1e2d3c-secret"


@task
def idle() -> None:
    """Do nothing."""


def raising(error: Exception) -> Callable[[], None]:
    @safely
    def call() -> None:
        raise error

    return call


def asked_after(error: Exception, *, attempt: int = 1, patience: Patience | None = None) -> bool:
    run = TaskRun(task_key="idle", dynamic_key="0", run_count=attempt)
    task = idle.with_options(**retries((20.0, 60.0), patience))
    assert inspect.isfunction(task.retry_condition_fn), "Prefect calls nothing else"
    return bool(task.retry_condition_fn(task, run, Failed(data=error)))


@pytest.mark.parametrize("error", [StalledError("no byte", subject="a.hdf5"), TokenRejectedError("no", status=401)])
def test_errors_of_the_domain_pass_as_they_are(error: MirrorError) -> None:
    with pytest.raises(type(error)) as caught:
        raising(error)()

    assert caught.value is error


def test_any_other_error_is_named_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONC_TOKEN", TOKEN)
    url = f"https://data.example.org/api/archivefile/download?token={TOKEN}&filename=a.hdf5"

    with pytest.raises(UnexpectedError, match=r"ConnectionError: .*filename=a\.hdf5") as caught:
        raising(ConnectionError(f"Max retries exceeded with url: {url}"))()

    assert TOKEN not in everything_printed(caught.value)


def test_the_type_decides_what_is_tried_again() -> None:
    assert asked_after(StalledError("no byte"))
    assert not asked_after(TokenRejectedError("no"))
    assert not asked_after(UnexpectedError("a fault"))
    assert not asked_after(ValueError("a fault"))


def test_an_outage_that_has_outlasted_the_retries_of_a_file_is_waited_for_no_more() -> None:
    patience = Patience()
    assert asked_after(RefusedError("down"), patience=patience)

    patience.end(RefusedError("down"))

    assert not asked_after(RefusedError("down"), patience=patience)
    assert asked_after(StalledError("no byte"), patience=patience)


def test_a_retry_waits_for_what_the_archive_asked_beyond_its_own_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)

    assert asked_after(ArchiveBusyError("busy", retry_after_s=120))
    assert asked_after(ArchiveBusyError("busy", retry_after_s=120), attempt=2)

    assert waited == [100, 60]


def test_what_will_be_tried_again_is_told_as_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    asked_after(StalledError("no byte", subject="a.hdf5"), attempt=2)

    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == "retry_in_s=60 of='a.hdf5' attempt=3 attempts=3 reason=stalled detail='no byte'"


def test_there_is_one_attempt_more_than_there_are_delays() -> None:
    assert retries((1.0, 2.0))["retries"] == 2
    assert retries((1.0, 2.0))["retry_delay_seconds"] == [1.0, 2.0]
    assert retries(()) == {"retries": 0}


def test_no_task_has_a_tag_that_its_server_would_be_asked_about_before_it_begins() -> None:
    modules = [importlib.import_module(f"tasks.{found.name}") for found in pkgutil.iter_modules(tasks.__path__)]
    found = {value for module in modules for value in vars(module).values() if isinstance(value, Task)}

    assert len(found) > 10
    assert not [one.name for one in found if one.tags]
