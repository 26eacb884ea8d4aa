"""The validation processes: what they inherit, how they die, what dies with them, and what does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from onc_mirror.errors import ValidatorUnavailableError
from onc_mirror.model import Grade, Verdict
from onc_mirror.validation import Reason, Validator
from tests.support.hdf5_files import cut, write_bomb, write_module_file
from tests.support.waiting import wait_until

MEMORY = 2**30 + 12_288
"""Unlike what other tests give, so that their workers are not taken for ours."""
WORKER = "onc_mirror.validation.worker"
ROOT = Path(__file__).parents[2]


def workers_of(pid: int | None = None) -> list[psutil.Process]:
    """The validation processes that a process has, without those that only wait to be reaped."""
    return [child for child in psutil.Process(pid).children() if is_worker(child)]


def is_worker(child: psutil.Process) -> bool:
    try:
        return child.cmdline()[-2:] == [WORKER, str(MEMORY)]
    except psutil.NoSuchProcess:  # or only a zombie
        return False


def the_worker() -> psutil.Process:
    """The only one; one that was let go may take a moment to be gone."""
    found: list[psutil.Process] = []

    def is_alone() -> bool:
        found[:] = workers_of()
        return len(found) == 1

    wait_until(is_alone)
    return found[0]


@pytest.fixture(scope="module")
def slow_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that keeps a worker busy in libhdf5 for a long time: many chunks that inflate to far more."""
    path = tmp_path_factory.mktemp("slow") / "slow"
    return write_bomb(path, chunk_bytes=2**20, inflated_bytes=2**27, chunks=300)


@pytest.fixture
def good_file(tmp_path: Path) -> Path:
    return write_module_file(tmp_path / "good")


def test_nothing_starts_before_a_file_needs_it(good_file: Path) -> None:
    with Validator(timeout_s=60, memory_bytes=MEMORY, processes=2) as validator:
        validator.validate(good_file, "a.txt", Grade.CONTENT)
        validator.validate(good_file, "a.hdf5", Grade.SIZE)
        assert workers_of() == []

        validator.validate(good_file, "a.hdf5", Grade.OPEN)
        assert len(workers_of()) == 1


def test_a_process_is_used_again_and_leaks_no_file(good_file: Path, tmp_path: Path) -> None:
    with Validator(timeout_s=60, memory_bytes=MEMORY, processes=4) as validator:
        validator.validate(good_file, "a.hdf5", Grade.CONTENT)
        worker, here = the_worker(), psutil.Process()
        before = (worker.pid, worker.num_fds(), here.num_fds())
        for _ in range(50):
            assert validator.validate(good_file, "a.hdf5", Grade.CONTENT).passed
        assert before == (the_worker().pid, worker.num_fds(), here.num_fds())

        cut(write_module_file(tmp_path / "cut"), 0.5)
        for _ in range(3):
            assert not validator.validate(tmp_path / "cut", "a.hdf5", Grade.CONTENT).passed
        assert validator.validate(good_file, "a.hdf5", Grade.CONTENT).passed
        assert here.num_fds() == before[2]
        assert worker.pid != the_worker().pid


def test_closing_ends_the_processes(good_file: Path) -> None:
    with Validator(timeout_s=60, memory_bytes=MEMORY, processes=2) as validator:
        validator.validate(good_file, "a.hdf5", Grade.OPEN)
        worker = the_worker()

    assert not worker.is_running()
    with pytest.raises(ValidatorUnavailableError):
        validator.validate(good_file, "a.hdf5", Grade.OPEN)
    assert workers_of() == []


def test_closing_ends_validations_that_run_and_wait_without_a_verdict(slow_file: Path) -> None:
    validator = Validator(timeout_s=120, memory_bytes=MEMORY, processes=1)
    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(validator.validate, slow_file, "a.hdf5", Grade.CONTENT) for _ in range(2)]
        wait_until_busy(the_worker())

        validator.close()

        assert [type(future.exception(timeout=20)) for future in running] == [ValidatorUnavailableError] * 2


def test_what_comes_on_standard_input_while_a_process_is_at_work_does_not_end_it(slow_file: Path) -> None:
    """The kernel may tell of its own request only then."""
    with Validator(timeout_s=120, memory_bytes=MEMORY, processes=1) as validator, ThreadPoolExecutor(1) as threads:
        threads.submit(validator.validate, slow_file, "a.hdf5", Grade.CONTENT)
        worker = the_worker()
        wait_until_busy(worker)

        Path(f"/proc/{worker.pid}/fd/0").write_bytes(b"\n")

        before_s = worker.cpu_times().user
        wait_until(lambda: worker.cpu_times().user > before_s + 0.1)
        validator.close()


def wait_until_busy(worker: psutil.Process) -> None:
    """Until it inflates, which needs memory that it does not have when it waits."""
    wait_until(lambda: worker.memory_info().rss > 90 * 2**20)


def wait_until_ended(worker: psutil.Process) -> None:
    wait_until(lambda: not worker.is_running())


def test_a_file_that_two_processes_die_of_costs_itself_only(slow_file: Path, good_file: Path) -> None:
    with (
        Validator(timeout_s=120, memory_bytes=MEMORY, processes=1) as validator,
        ThreadPoolExecutor(2) as threads,
    ):
        broken = threads.submit(validator.validate, slow_file, "a.hdf5", Grade.CONTENT)
        for _ in range(2):
            worker = the_worker()
            wait_until_busy(worker)
            waiting = threads.submit(validator.validate, good_file, "a.hdf5", Grade.CONTENT)
            worker.kill()
            wait_until_ended(worker)

        verdict = broken.result(timeout=30)
        assert (verdict.grade, verdict.reason) == (Grade.STRUCTURE, Reason.VALIDATOR_CRASHED)
        assert verdict.detail == "The validation process was killed by SIGKILL."
        assert waiting.result(timeout=30).passed


def test_a_process_that_died_of_an_earlier_file_costs_the_next_one_nothing(good_file: Path) -> None:
    with Validator(timeout_s=60, memory_bytes=MEMORY, processes=1) as validator:
        validator.validate(good_file, "a.hdf5", Grade.OPEN)
        worker = the_worker()
        worker.kill()
        wait_until(lambda: not workers_of())

        assert validator.validate(good_file, "a.hdf5", Grade.CONTENT).passed


@pytest.mark.parametrize("trouble", ["kill", "suspend"])
def test_a_good_file_whose_process_is_killed_or_hangs_is_proven_by_a_fresh_one(tmp_path: Path, trouble: str) -> None:
    """Though the process met no other file before: the kernel of a machine without memory kills any."""
    path = write_bomb(tmp_path / "good", chunk_bytes=2**20, inflated_bytes=2**27, chunks=6)
    with (
        Validator(timeout_s=10, memory_bytes=MEMORY, processes=1) as validator,
        ThreadPoolExecutor(1) as threads,
    ):
        proving = threads.submit(validator.validate, path, "a.hdf5", Grade.CONTENT)
        worker = the_worker()
        wait_until_busy(worker)
        getattr(worker, trouble)()

        assert proving.result(timeout=60).passed
        assert not worker.is_running()


def test_a_file_that_takes_too_long_keeps_the_grade_it_had_reached(slow_file: Path) -> None:
    with Validator(timeout_s=1.5, memory_bytes=MEMORY, processes=1) as validator:
        verdict = validator.validate(slow_file, "a.hdf5", Grade.CONTENT)

    assert (verdict.grade, verdict.reason) == (Grade.STRUCTURE, Reason.VALIDATOR_TIMEOUT)


PARENT = """
import sys
from pathlib import Path
from onc_mirror.model import Grade
from onc_mirror.validation import Validator

validator = Validator(timeout_s=300, memory_bytes=int(sys.argv[1]), processes=1)
for path in sys.argv[2:]:
    validator.validate(Path(path), "a.hdf5", Grade.CONTENT)
print("idle", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_process_ends_when_its_parent_is_killed(good_file: Path, slow_file: Path, *, busy: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(MEMORY), str(slow_file if busy else good_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as parent:
        wait_until(lambda: bool(workers_of(parent.pid)))
        worker = workers_of(parent.pid)[0]
        if busy:
            wait_until_busy(worker)
        else:
            assert parent.stdout is not None
            assert parent.stdout.readline() == b"idle\n"
        parent.kill()

    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_a_process_outlives_the_thread_that_started_it(good_file: Path) -> None:
    with Validator(timeout_s=60, memory_bytes=MEMORY, processes=1) as validator:
        thread = threading.Thread(target=validator.validate, args=(good_file, "a.hdf5", Grade.OPEN))
        thread.start()
        thread.join()
        worker = the_worker()

        assert validator.validate(good_file, "a.hdf5", Grade.OPEN).passed
        assert the_worker() == worker


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_meant_for_the_parent_do_not_end_a_process(good_file: Path, number: signal.Signals) -> None:
    with Validator(timeout_s=60, memory_bytes=MEMORY, processes=1) as validator:
        validator.validate(good_file, "a.hdf5", Grade.OPEN)
        worker = the_worker()
        worker.send_signal(number)

        assert validator.validate(good_file, "a.hdf5", Grade.OPEN).passed
        assert the_worker() == worker
        assert os.getsid(worker.pid) != os.getsid(0)


def test_a_process_inherits_no_secret(good_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ONC_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "ONC_MIRROR_LEDGER_URL", "ANYTHING"):
        monkeypatch.setenv(name, "canary-secret")
    with Validator(timeout_s=60, memory_bytes=MEMORY, processes=1) as validator:
        validator.validate(good_file, "a.hdf5", Grade.OPEN)
        worker = the_worker()
        inherited = worker.environ()

        assert inherited["HDF5_USE_FILE_LOCKING"] == "FALSE"
        assert "canary-secret" not in str(inherited) + str(worker.cmdline())


def test_limits_hold_in_the_process(good_file: Path) -> None:
    with Validator(timeout_s=60, memory_bytes=MEMORY, processes=1) as validator:
        validator.validate(good_file, "a.hdf5", Grade.OPEN)
        limits = Path(f"/proc/{the_worker().pid}/limits").read_text()

    held = {line[:25].strip(): line[25:].split()[:2] for line in limits.splitlines()}
    assert held["Max address space"] == [str(MEMORY)] * 2
    assert held["Max core file size"] == ["0", "0"]
    assert held["Max file size"] == ["0", "0"]


def test_many_threads_share_few_processes_and_get_their_own_verdicts(tmp_path: Path) -> None:
    good, bad = write_module_file(tmp_path / "good"), cut(write_module_file(tmp_path / "bad"), 0.7)
    with (
        Validator(timeout_s=60, memory_bytes=MEMORY, processes=2) as validator,
        ThreadPoolExecutor(8) as threads,
    ):

        def judge(index: int) -> Verdict:
            return validator.validate(bad if index % 5 == 0 else good, "a.hdf5", Grade.CONTENT)

        verdicts = list(threads.map(judge, range(60)))
        assert len(workers_of()) <= 2

    assert [verdict.reason for verdict in verdicts] == [
        None if index % 5 else Reason.TRUNCATED_FILE for index in range(60)
    ]


def test_a_process_that_cannot_start_is_an_error_and_no_verdict(good_file: Path) -> None:
    with (
        Validator(timeout_s=60, memory_bytes=30 * 2**20, processes=1) as validator,
        pytest.raises(ValidatorUnavailableError, match="ONC_MIRROR_VALIDATION_MEMORY"),
    ):
        validator.validate(good_file, "a.hdf5", Grade.OPEN)


def test_the_parent_stays_light_wherever_it_runs(good_file: Path, tmp_path: Path) -> None:
    """Neither h5py nor numpy is imported, and the worker is found from any folder, even one full of traps."""
    (tmp_path / "json.py").write_text("raise SystemExit('a module of the current folder was imported')")
    program = PARENT.replace("sys.stdin.read()", "print(sorted({'h5py', 'numpy', 'pandas'} & set(sys.modules)))")
    ran = subprocess.run(
        [sys.executable, "-P", "-c", program, str(MEMORY), str(good_file)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout == "idle\n[]\n"
