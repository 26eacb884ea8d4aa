"""What `docs/reliability.md` points to is there, and the commands that it gives are understood."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
TESTS = re.compile(r"`(tests/[\w./*-]+)`")
VARIABLE = re.compile(r"[A-Z_]+=\S+")
PROMISES = 8


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
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line[:1] == "|"]
    promises = [row for row in rows if row[0].isdecimal()]

    assert [int(row[0]) for row in promises] == list(range(1, PROMISES + 1))
    for _, promise, how, tests, cases in promises:
        assert promise.startswith("**")
        assert how
        assert TESTS.findall(tests)
        assert int(cases) > 0


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
