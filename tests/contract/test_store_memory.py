"""The hook of the store in memory: what fails before a call leaves nothing, what fails after it leaves all of it."""

from __future__ import annotations

import pytest

from onc_mirror.errors import StoreUnavailableError
from tests.support.memory_store import Bucket, Call, MemoryStore

KEY = "reports/run.json"


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("failure", [StoreUnavailableError("down"), SystemExit()], ids=["failed", "killed"])
def test_call_that_is_broken_off_has_happened_wholly_or_not_at_all(failure: BaseException, *, done: bool) -> None:
    bucket = Bucket()

    def break_off(call: Call) -> None:
        if call.changes and call.done is done:
            raise failure

    with pytest.raises(type(failure)):
        MemoryStore(bucket, hook=break_off).write(KEY, b"x", "text/plain")

    assert set(bucket.objects) == ({KEY} if done else set())


def test_hook_hears_of_every_call_and_can_tell_which_change_something() -> None:
    calls: list[Call] = []
    store = MemoryStore(Bucket(), hook=calls.append)

    store.write(KEY, b"x", "text/plain")
    store.head(KEY)
    store.copy(KEY, "copy")
    store.open("copy").close()
    list(store.list(""))
    store.delete("copy")

    assert [call.name for call in calls if call.done] == ["write", "head", "copy", "open", "list", "delete"]
    assert [call.key for call in calls if call.changes and not call.done] == [KEY, "copy", "copy"]
