"""What `docs/reliability.md` points to is there, its figures are true, and its commands are understood."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from infra.sandbox.archive.faults import Kind
from tests.model.history import FEW, MANY, STEPS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
TESTS = re.compile(r"`(tests/[\w./*-]+)`")
VARIABLE = re.compile(r"[A-Z_]+=\S+")
PROMISES = 8
WORDS = " ".join(TEXT.split())


def promises() -> list[list[str]]:
    """The cells of every row of the table of promises."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line[:1] == "|"]
    return [row for row in rows if row[0].isdecimal()]


def files_of(names: str) -> set[Path]:
    """The files of tests that a cell of the table names."""
    paths = {path for name in TESTS.findall(names) for path in ROOT.glob(name)}
    return {file for path in paths for file in (path.rglob("test_*.py") if path.is_dir() else [path])}


@pytest.fixture
def collected(request: pytest.FixtureRequest) -> Counter[tuple[Path, str]]:
    """How many cases each test has; skips the test where not all were collected that `make test` collects."""
    found = Counter((item.path, item.name.partition("[")[0]) for item in request.session.items)
    missing = set(ROOT.glob("tests/**/test_*.py")).difference(path for path, _ in found)
    if missing or "swift" not in os.environ.get("ONC_MIRROR_TEST_STORES", "swift"):
        pytest.skip("Only a run of all tests, on all stores of `make test`, can count them.")
    return found


def commands() -> list[list[str]]:
    """The words of every command in the document, without what is set for it."""
    blocks = re.findall(r"^ {4}(\S.*)$", TEXT, re.MULTILINE)
    spans = re.findall(r"`(python -m [^`]+|make [^`]+)`", TEXT)
    words = [shlex.split(text, comments=True) for text in (*blocks, *spans)]
    return [[word for word in line if not VARIABLE.fullmatch(word)] for line in words]


def test_every_test_that_is_named_is_there() -> None:
    named = TESTS.findall(TEXT)

    assert len(named) > 50
    assert not [name for name in named if not list(ROOT.glob(name))]


def test_every_promise_has_a_row_with_tests_and_a_figure() -> None:
    assert [int(row[0]) for row in promises()] == list(range(1, PROMISES + 1))
    for _, promise, how, tests, cases in promises():
        assert promise.startswith("**")
        assert how
        assert TESTS.findall(tests)
        assert int(cases) > 0


def test_there_are_as_many_cases_as_the_table_says(collected: Counter[tuple[Path, str]]) -> None:
    for number, _, _, tests, cases in promises():
        files = files_of(tests)
        there = sum(count for (path, _), count in collected.items() if path in files)
        assert int(cases) <= there, f"promise {number} has {there} cases"
    (all_of_them,) = re.findall(r"more than (\d+) in all", WORDS)
    assert int(all_of_them) < collected.total()


@pytest.mark.parametrize(
    ("said", "file", "test"),
    [
        ("{} faults that stay", "runs/test_archive_faults.py", "test_a_fault_that_stays"),
        ("{} that pass", "runs/test_archive_faults.py", "test_a_fault_that_passes"),
        ("a good end in {} ways", "kills/test_promises.py", "test_what_is_not_as_promised_is_told"),
    ],
)
def test_a_figure_is_the_number_of_cases_of_its_test(
    collected: Counter[tuple[Path, str]], said: str, file: str, test: str
) -> None:
    cases = sum(
        count for (path, name), count in collected.items() if path == ROOT / "tests" / file and name.startswith(test)
    )

    assert said.format(cases) in WORDS


def test_the_figures_of_the_stand_in_and_of_the_model_are_theirs() -> None:
    assert f"can go wrong in {len(Kind)} ways" in WORDS
    assert f"plays {FEW} histories of up to {STEPS} steps in `make test` and {MANY} others" in WORDS


def test_every_command_can_be_given() -> None:
    found = commands()

    assert len(found) > 8
    for words in found:
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
            continue
        assert words[:2] == ["python", "-m"], words
        assert importlib.util.find_spec(words[2]) is not None, words[2]
        assert not [path for path in words[3:] if path.startswith("tests/") and not (ROOT / path).exists()]


def test_every_option_of_a_program_of_ours_is_one_that_it_names() -> None:
    programs = [words for words in commands() if words[2:3] and words[2].startswith("tests.")]

    assert programs
    for _, _, module, *arguments in programs:
        source = (ROOT.joinpath(*module.split(".")) / "__main__.py").read_text(encoding="utf-8")
        assert not [word for word in arguments if word.startswith("--") and f'"{word}"' not in source]
