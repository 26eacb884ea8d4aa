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

OWN = "onc-mirror-scratch"
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


def left_in(directory: Path) -> list[str]:
    """Return what is in the scratch's own folder, which must be all there is."""
    assert [path.name for path in directory.iterdir()] == [OWN]
    return sorted(path.name for path in (directory / OWN).iterdir())


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

    assert left_in(tmp_path / "deep" / "scratch") == []


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
        assert len(left_in(tmp_path)) == 1

    assert left_in(tmp_path) == []


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

    assert left_in(tmp_path) == []


FOREIGN = (
    "run-2024/thesis.dat",
    "run-2024/lock",
    "new-results/table.csv",
    f"{OWN}/run-2024/thesis.dat",
    f"{OWN}/onc-mirror-run-7-notours/thesis.dat",
    f"{OWN}/onc-mirror-run-7-abcd1234/thesis.dat",
    f"{OWN}/onc-mirror-run-of-mine/onc-mirror.lock",
    f"{OWN}/onc-mirror-being-made-by-me/thesis.dat",
    "onc-mirror-run-7-abcd1234/onc-mirror.lock",
    "onc-mirror-being-made-abcd1234/thesis.dat",
)


def test_folders_of_others_survive_whatever_their_names(tmp_path: Path) -> None:
    for name in FOREIGN:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"years of work")
        os.utime((tmp_path / name).parent, (0, 0))
    link = tmp_path / OWN / "onc-mirror-run-8-abcd1234"
    link.symlink_to(tmp_path / "onc-mirror-run-7-abcd1234")

    with Scratch(tmp_path, 100) as scratch, scratch.slot(1):
        pass

    assert [name for name in FOREIGN if (tmp_path / name).read_bytes() != b"years of work"] == []
    assert link.is_symlink()


def test_own_folder_is_private(scratch: Scratch, tmp_path: Path) -> None:
    with scratch.slot(1):
        assert (tmp_path / "scratch" / OWN).stat().st_mode & 0o777 == 0o700


def test_own_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / OWN).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(SettingsError, match="ONC_MIRROR_SCRATCH_DIR"):
        Scratch(tmp_path, 100)


def test_run_killed_while_it_was_made_or_removed_is_cleared_away(tmp_path: Path) -> None:
    own = tmp_path / OWN
    (own / "onc-mirror-run-7-abcd1234").mkdir(parents=True)
    (own / "onc-mirror-run-8-abcd1234").mkdir()
    (own / "onc-mirror-run-8-abcd1234" / "onc-mirror.lock").touch()
    (own / "onc-mirror-being-made-abcd1234").mkdir()
    os.utime(own / "onc-mirror-being-made-abcd1234", (0, 0))
    (own / "onc-mirror-being-made-abcd5678").mkdir()

    with Scratch(tmp_path, 100):
        pass

    assert left_in(tmp_path) == ["onc-mirror-being-made-abcd5678"]


def test_disk_that_takes_no_folder_is_named(scratch: Scratch, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "scratch" / OWN)

    for size in (10, None):
        with pytest.raises(ScratchFullError, match=f"{tmp_path / 'scratch'}.*No such file"), scratch.slot(size):
            pytest.fail("there is no folder to make it in")


def test_folder_that_cannot_be_used_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")

    with pytest.raises(SettingsError, match="ONC_MIRROR_SCRATCH_DIR"):
        Scratch(tmp_path / "file" / "scratch", 100)
