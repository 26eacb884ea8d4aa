from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from onc_mirror.errors import ScratchFullError, SettingsError
from onc_mirror.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = """
import os, sys
from pathlib import Path
from onc_mirror.scratch import Scratch
scratch = Scratch(Path(sys.argv[1]), 1000)
with scratch.slot(10) as folder:
    (folder / "half.part").write_bytes(b"x" * 10)
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def slots() -> Iterator[ExitStack]:
    """Keeps slots open until the test ends."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Scratch]:
    with Scratch(tmp_path / "scratch", 100) as opened:
        yield opened


def begin_run(directory: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a process that holds a slot with a file in it; return it and the slot's folder."""
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    return run, run.stdout.readline().strip()


def end_run(run: subprocess.Popen[str], how: signal.Signals) -> None:
    run.send_signal(how)
    run.communicate()


def test_slot_is_a_private_empty_folder_that_goes_away(scratch: Scratch) -> None:
    with scratch.slot(10) as one, scratch.slot(10) as other:
        (one / "file").write_bytes(b"x")
        assert one != other
        assert list(other.iterdir()) == []
        assert one.stat().st_mode & 0o077 == 0

    assert not one.exists()
    assert not other.exists()


def test_slot_goes_away_with_an_exception(scratch: Scratch) -> None:
    folders = []

    def fail() -> None:
        with scratch.slot(10) as folder:
            folders.append(folder)
            (folder / "deep").mkdir()
            (folder / "deep" / "file").write_bytes(b"x")
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fail()
    (folder,) = folders
    assert not folder.exists()
    with scratch.slot(100):
        pass


def test_close_leaves_nothing_behind(tmp_path: Path) -> None:
    with Scratch(tmp_path / "deep" / "scratch", 100) as scratch, scratch.slot(10):
        pass

    assert list((tmp_path / "deep" / "scratch").iterdir()) == []


def test_promises_never_exceed_the_budget(scratch: Scratch) -> None:
    lock = threading.Lock()
    promised = most = 0

    def use(size: int) -> None:
        nonlocal promised, most
        with scratch.slot(size):
            with lock:
                promised += size
                most = max(most, promised)
            with lock:
                promised -= size

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(use, [7, 60, 33, 100, 1, 45] * 50))

    assert 60 <= most <= 100


def test_slots_are_given_in_the_order_they_were_asked_for(scratch: Scratch) -> None:
    order: list[str] = []

    def use(name: str, size: int) -> None:
        with scratch.slot(size):
            order.append(name)

    with ThreadPoolExecutor(2) as pool, scratch.slot(50):
        large = pool.submit(use, "large", 90)
        wait_until_queued(scratch, 1)
        small = pool.submit(use, "small", 1)
        wait_until_queued(scratch, 2)
        assert not small.done()
    large.result()
    small.result()

    assert order == ["large", "small"]


def wait_until_queued(scratch: Scratch, count: int) -> None:
    queue = vars(scratch)["_queue"]
    while len(queue) < count:
        threading.Event().wait(0.001)


def test_file_larger_than_the_budget_runs_alone(scratch: Scratch) -> None:
    inside = threading.Event()

    def use_small() -> None:
        with scratch.slot(1):
            inside.set()

    with ThreadPoolExecutor(1) as pool:
        with scratch.slot(5000):
            waiting = pool.submit(use_small)
            wait_until_queued(scratch, 1)
            assert not inside.is_set()
        waiting.result()

    assert inside.is_set()


def test_file_of_unknown_size_takes_the_whole_budget(scratch: Scratch, slots: ExitStack) -> None:
    with ThreadPoolExecutor(1) as pool:
        with scratch.slot(None):
            waiting = pool.submit(slots.enter_context, scratch.slot(1))
            wait_until_queued(scratch, 1)
            assert not waiting.done()
        assert waiting.result().is_dir()


def test_file_larger_than_the_disk_is_refused_with_advice(scratch: Scratch, tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free

    with pytest.raises(ScratchFullError, match="ONC_MIRROR_SCRATCH_DIR"), scratch.slot(free * 2):
        pytest.fail("there is no room")
    with scratch.slot(10) as folder:
        assert folder.is_dir()


def test_room_that_open_slots_still_have_to_fill_is_not_given_twice(tmp_path: Path, slots: ExitStack) -> None:
    free = shutil.disk_usage(tmp_path).free
    scratch = slots.enter_context(Scratch(tmp_path, free * 10))
    with ThreadPoolExecutor(1) as pool:
        with scratch.slot(free * 2 // 3):
            waiting = pool.submit(slots.enter_context, scratch.slot(free * 2 // 3))
            wait_until_queued(scratch, 1)
            assert not waiting.done()
        assert waiting.result().is_dir()


def test_refused_slot_does_not_block_the_next_one(scratch: Scratch, slots: ExitStack, tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    with ThreadPoolExecutor(2) as pool, scratch.slot(10):
        refused = pool.submit(slots.enter_context, scratch.slot(free * 2))
        wait_until_queued(scratch, 1)
        fine = pool.submit(slots.enter_context, scratch.slot(10))
        wait_until_queued(scratch, 2)

    with pytest.raises(ScratchFullError):
        refused.result()
    assert fine.result().is_dir()


def test_leftovers_of_a_killed_run_are_removed_at_the_next_opening(tmp_path: Path) -> None:
    run, folder = begin_run(tmp_path)
    end_run(run, signal.SIGKILL)
    assert os.listdir(folder) == ["half.part"]  # noqa: PTH208 - a string from another process

    with Scratch(tmp_path, 100):
        assert len(list(tmp_path.iterdir())) == 1

    assert list(tmp_path.iterdir()) == []


def test_run_that_lives_is_left_alone(tmp_path: Path) -> None:
    run, folder = begin_run(tmp_path)

    with Scratch(tmp_path, 100):
        pass

    assert os.listdir(folder) == ["half.part"]  # noqa: PTH208 - a string from another process
    end_run(run, signal.SIGTERM)


def test_two_runs_of_one_process_are_left_alone_by_each_other(tmp_path: Path) -> None:
    with Scratch(tmp_path, 100) as one, one.slot(1) as folder, Scratch(tmp_path, 100):
        assert folder.is_dir()


def test_many_runs_that_open_at_once_do_not_remove_each_other(tmp_path: Path) -> None:
    def open_and_use(number: int) -> None:
        with Scratch(tmp_path, 100) as scratch, scratch.slot(1) as folder:
            (folder / "file").write_bytes(bytes([number]))
            assert (folder / "file").read_bytes() == bytes([number])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_and_use, range(100)))

    assert list(tmp_path.iterdir()) == []


def test_what_is_not_of_a_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").write_bytes(b"x")
    (tmp_path / "run-notes.txt").write_bytes(b"x")
    (tmp_path / "run-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "new-just-now").mkdir()

    with Scratch(tmp_path, 100):
        pass

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "elsewhere",
        "new-just-now",
        "run-link",
        "run-notes.txt",
    ]
    assert (tmp_path / "elsewhere" / "precious").exists()


def test_run_killed_while_it_was_made_or_removed_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "run-without-lock").mkdir()
    (tmp_path / "new-long-ago").mkdir()
    os.utime(tmp_path / "new-long-ago", (0, 0))

    with Scratch(tmp_path, 100):
        pass

    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_used_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")

    with pytest.raises(SettingsError, match="ONC_MIRROR_SCRATCH_DIR"):
        Scratch(tmp_path / "file" / "scratch", 100)
